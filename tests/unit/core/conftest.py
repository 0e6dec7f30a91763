"""Real distributions in a directory on the search path, and settings that see only them."""

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boards import settings as settings_module
from boards.settings import Settings

OURS = tuple(sorted(path.name for path in Path(__file__).parents[3].glob("plugins/*")))
"""Installed in the development environment; these tests bring plugins of their own."""


class Site:
    """A directory like site-packages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def distribution(
        self,
        name: str,
        entry_points: str,
        files: dict[str, str] | None = None,
        *,
        version: str = "1.0",
        package_at: Path | None = None,
    ) -> None:
        """Install a distribution: its metadata here, its files here or (editable) elsewhere."""
        metadata = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        (metadata / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        (metadata / "RECORD").write_text("")
        for relative, text in (files or {}).items():
            path = (package_at or self.path) / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def specs(self, name: str, package: str, documents: dict[str, str], **options: Any) -> None:
        """Install a plugin that is data."""
        files = {f"{package}/__init__.py": options.pop("init", "")}
        files |= {f"{package}/specs/{document}": text for document, text in documents.items()}
        entry_points = f"[boards.specs]\n{package} = {package}.specs\n"
        self.distribution(name, entry_points, files, **options)

    def hooks(self, name: str, module: str, code: str, **options: Any) -> None:
        """Install a plugin that is code."""
        header = "from boards.hookspecs import hookimpl\nfrom boards.records import *\n"
        entry_points = f"[boards.plugins]\n{module} = {module}\n"
        code = header + textwrap.dedent(code)
        self.distribution(name, entry_points, {f"{module}.py": code}, **options)

    @staticmethod
    def provider(name: str, **more: object) -> str:
        """A provider in YAML; it needs NAME_KEY."""
        lines = "".join(f"    {key}: {value}\n" for key, value in more.items())
        config = f"{{base_url: 'https://{name}.test', api_key_env: {name.upper()}_KEY}}"
        return f"providers:\n  {name}:\n    auth: {{kind: bearer}}\n{lines}    config: {config}\n"

    @staticmethod
    def generators(provider: str, *names: str, **more: object) -> str:
        """Generators in YAML that answer at once."""
        lines = "".join(f"    {key}: {value}\n" for key, value in more.items())
        return "generators:\n" + "".join(
            f"  - name: {name}\n    provider: {provider}\n    artifact_type: image\n{lines}"
            "    io: {input_schema: {type: object, properties: {prompt: {type: string}},"
            " required: [prompt]}}\n"
            "    execution:\n"
            "      submit: {path: /run, json: {prompt: '${input.prompt}'}}\n"
            "      extract: {outputs: [{from: 'body.images[*]', expires: 1h}]}\n"
            for name in names
        )

    def zipped(self, archive: Path) -> None:
        """Move everything into an archive."""
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(self.path.rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(self.path).as_posix())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site, first on the search path; what is imported from it is forgotten again."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(site.path)
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None) or ""
        if origin.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with a home of their own, and nothing from the real environment."""

    def make(**overrides: Any) -> Settings:
        defaults: dict[str, Any] = {
            "home": tmp_path / "home",
            "environment": {},
            "plugins_disabled": OURS,
        }
        return settings_module.load(**(defaults | overrides))

    return make


@pytest.fixture
def fresh(site: Site, tmp_path: Path) -> Callable[..., Any]:
    """Run code in a fresh interpreter that has the site; what it assigns to ``told`` comes back.

    The code finds ``settings``, as ``configure`` makes them.
    """

    def run(code: str, **environment: str) -> Any:
        script = (
            "import json, sys\n"
            f"from boards import settings as s\n"
            f"settings = s.load(home={str(tmp_path / 'home')!r}, plugins_disabled={OURS!r})\n"
            f"{textwrap.dedent(code)}\nprint(json.dumps(told))\n"
        )
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BOARDS_")}
        path = environment.pop("PYTHONPATH", str(site.path))
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=inherited | {"PYTHONPATH": path} | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
