"""How the documentation is built: ``nox -s docs``."""

import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext import intersphinx

_HERE = Path(__file__).parent

project = "Boards"
author = "The Boards authors"
copyright = "The Boards authors"
_core = tomllib.loads((_HERE.parent / "core" / "pyproject.toml").read_text())["project"]
release = _core["version"]
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Boards {release}"
html_show_sourcelink = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# Only what a reader copies: neither the prompt, nor what was printed.
copybutton_prompt_text = "$ "

# The inventory is kept here, so that a build fetches nothing.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", str(_HERE / "inventories" / "python.inv")),
}

nitpicky = True
nitpick_ignore = [
    # No inventory of these is kept here; each is only named, for what a host may pass.
    ("py:class", "httpx.AsyncBaseTransport"),
    # Names of unions that the argument's own description spells out.
    ("py:class", "GivenGenerators"),
    ("py:class", "GivenProviders"),
    ("py:class", "Fallback"),
    ("py:class", "OnAmbiguous"),
    ("py:class", "Grouping"),
    ("py:class", "GivenPipeline"),
    # What a pipeline's step returns, and conditions: told on the page on pipelines.
    ("py:class", "Token"),
    ("py:class", "boards.dsl.references.Token"),
    ("py:class", "boards.dsl.references.Predicate"),
    # Parts of a spec that only pass through a caller's hands.
    ("py:class", "boards.spec.places.Place"),
    ("py:class", "boards.spec.tokens.Template"),
    ("py:class", "boards.spec.tokens.Token"),
    # Mappings of any values, told at boards.adapters.
    ("py:class", "ReplyValue"),
    ("py:class", "Scope"),
    # The data of each type of event, told as a table in the page on events.
    *(
        ("py:class", f"boards.events.{name}Data")
        for name in (
            "Queued",
            "Submitting",
            "Submitted",
            "Progress",
            "Log",
            "Retrying",
            "Fallback",
            "Fetching",
            "Artifact",
            "No",
            "Succeeded",
            "Failed",
            "Canceled",
            "Unknown",
            "Resolved",
        )
    ),
    # Type variables.
    ("py:class", "boards.events.Type_co"),
    ("py:class", "boards.events.Data_co"),
    ("py:class", "boards.testing.emulators.server.E"),
    ("py:class", "boards.testing.conformance.checks.S"),
]

# ``type[...]`` in a signature is the builtin, though records have attributes of that name.
suppress_warnings = ["ref.python"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_attr_annotations = True
python_use_unqualified_type_names = True


# Imported under TYPE_CHECKING, so that a signature has only the last part of the name.
_IMPORTED_FOR_TYPES = {"Path": "pathlib.Path"}


def setup(app: Sphinx) -> None:
    """Let a name be found where it is documented, whichever module it was written in."""
    app.connect("missing-reference", _public_name)


def _public_name(app: Sphinx, env: Any, node: Any, content: nodes.Element) -> nodes.Element | None:
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    if target.startswith("builtins.") or target in _IMPORTED_FOR_TYPES:
        node["reftarget"] = _IMPORTED_FOR_TYPES.get(target, target.removeprefix("builtins."))
        return intersphinx.missing_reference(app, env, node, content)
    last = target.rpartition(".")[2]
    domain = env.domains["py"]
    found = [
        name
        for name, entry in domain.objects.items()
        if name.startswith("boards.") and name.rpartition(".")[2] == last and not entry.aliased
    ]
    if len(found) != 1:
        return None
    resolved: nodes.Element | None = domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", found[0], node, content
    )
    return resolved
