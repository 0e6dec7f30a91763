"""Remove what belongs to other kinds of plugins.

Cookiecutter runs this file; ``boards new-plugin`` asks :func:`unwanted`.
"""

import shutil
from pathlib import Path

KINDS = "{{ cookiecutter.kinds }}"
MODULE = "{{ cookiecutter.module }}"

ONLY_FOR = {
    "src/MODULE/specs": ("declarative", "python"),
    "src/MODULE/adapter.py": ("python",),
    "src/MODULE/plugin.py": ("storage", "auth"),
    "src/MODULE/storage.py": ("storage",),
    "src/MODULE/tokens.py": ("auth",),
    "tests/test_provider.py": ("declarative", "python"),
    "tests/test_storage.py": ("storage",),
    "tests/test_auth.py": ("auth",),
}
"""Files and directories, and the kinds of plugins that have them."""


def unwanted(kinds: str, module: str) -> list[str]:
    """The files and directories that a plugin of these kinds does not have."""
    return [
        path.replace("MODULE", module)
        for path, wanted_by in ONLY_FOR.items()
        if not any(kind in kinds for kind in wanted_by)
    ]


if __name__ == "__main__":
    for path in map(Path, unwanted(KINDS, MODULE)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
