"""How the documentation is built: ``nox -s docs``."""

import tomllib
from pathlib import Path

_HERE = Path(__file__).parent

project = "Boards"
author = "The Boards authors"
copyright = "The Boards authors"
release = tomllib.loads((_HERE.parent / "core" / "pyproject.toml").read_text())["project"]["version"]
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

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.strikethrough"]

# Only what a reader copies: not the prompt, not what it printed.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True

# Inventories are kept here, so that a build fetches nothing.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", str(_HERE / "inventories" / "python.inv")),
}

nitpicky = True
nitpick_ignore = [
    # Their inventories are not kept here; both are named where a host may pass its own.
    ("py:class", "httpx.AsyncBaseTransport"),
    # Private names of ours that stand in signatures.
    ("py:class", "boards.settings.Overrides"),
    # An alias of a private class of the standard library.
    ("py:class", "pathlib._local.Path"),
]

autoclass_content = "class"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = False
napoleon_attr_annotations = True
python_use_unqualified_type_names = True
