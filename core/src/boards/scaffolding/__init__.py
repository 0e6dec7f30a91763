"""New plugins, made from the template that Cookiecutter uses as well; see :mod:`.template`."""

from boards.scaffolding.template import Template, template_directory

__all__ = ["Template", "template_directory"]
