"""Every task of the project: ``nox -s NAME``; ``nox -l`` lists them."""

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "typing", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    """The requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session(python=nox.project.python_versions(PYPROJECT))
def tests(session: nox.Session) -> None:
    """Test the plugin as it is installed, on every interpreter that is there."""
    session.install(".", *group("test"))
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes and for what is not formatted."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types."""
    session.install(".", "nox", *group("typing"))
    session.run("mypy")


@nox.session
def build(session: nox.Session) -> None:
    """Build what is to be published, into dist."""
    session.install("hatchling")
    session.run("hatchling", "build")
