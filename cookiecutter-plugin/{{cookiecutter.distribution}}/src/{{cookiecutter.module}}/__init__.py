"""{{ cookiecutter.__title }} for Boards."""
