"""Every task of the project: ``nox -s NAME``; ``nox -l`` lists them."""

import os
import shutil
import sys
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"  # what is not installed is skipped, also where CI is set
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "typing", "tests", "docs"]

ROOT = Path(__file__).parent
CORE = ROOT / "core"
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
DISTRIBUTIONS = {
    nox.project.load_toml(path)["project"]["name"]: path.parent
    for path in (CORE / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml")))
}
# Many tests wait for an emulated job: three workers more than there are cores.
PARALLEL = ("-n", str((os.cpu_count() or 1) + 3), "--dist", "worksteal")
WHEELS = ROOT / "build" / "wheels"
TYPESCRIPT = "typescript@>=5"
BUILT: dict[str, Path] = {}
"""The wheels of this run, by the names of their distributions."""

# The interpreter that runs nox counts too: where only a newer one is, the tests run on that.
PYTHONS = nox.project.python_versions(nox.project.load_toml(CORE / "pyproject.toml"))
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
if CURRENT not in PYTHONS:
    PYTHONS.append(CURRENT)


def group(*names: str) -> list[str]:
    """The requirements of the workspace's dependency groups."""
    return list(nox.project.dependency_groups(PYPROJECT, *names))


def build_wheels(session: nox.Session) -> None:
    """Build every distribution, once for all sessions of a run."""
    if BUILT:
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    if session.venv_backend == "uv":
        build = ["uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(WHEELS)]
        session.run_install(*build)
    else:
        pip = ["python", "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(WHEELS)]
        session.run_install(*pip, *map(str, DISTRIBUTIONS.values()))
    for wheel in WHEELS.glob("*.whl"):
        BUILT[wheel.name.partition("-")[0].replace("_", "-")] = wheel


def wheels(extras: str = "") -> list[str]:
    """The wheels as requirements; the core's with its extras."""
    return [
        f"{name}{extras if name == 'boards-core' else ''} @ {BUILT[name].as_uri()}"
        for name in DISTRIBUTIONS
    ]


def install(session: nox.Session, *groups: str) -> None:
    """Install the wheels as a user would, and dependency groups beside them."""
    build_wheels(session)
    session.install(*wheels("[emulators,httpx]"), *group(*groups))
    # Hundreds of processes begin in the tests: each would compile all that it imports.
    session.env["PYTHONDONTWRITEBYTECODE"] = None


@nox.session
def demo(session: nox.Session) -> None:
    """Generate through both providers, played by emulators, into ./boards-demo."""
    build_wheels(session)
    session.install(*wheels("[emulators]"))
    session.run("boards", "demo", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test the built wheels, on every interpreter that is there."""
    install(session, "tests")
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session
def crash(session: nox.Session) -> None:
    """Kill hosts at random times; other seeds: ``nox -s crash -- NUMBER``, or ``-- 17,42``."""
    install(session, "tests")
    session.env["BOARDS_CRASH_SEEDS"] = session.posargs[0] if session.posargs else "200"
    session.run("pytest", "-q", "-s", "tests/crash/test_random.py")


@nox.session
def template(session: nox.Session) -> None:
    """Bake the template of plugins in fresh environments, then break one: its tests notice."""
    install(session, "tests", "template")
    session.env["BOARDS_TEMPLATE_WHEELS"] = str(WHEELS)
    session.run("pytest", *PARALLEL, "tests/template", *session.posargs)


@nox.session
def environments(session: nox.Session) -> None:
    """Install, examine and remove plugins in fresh environments, with pip and with uv."""
    install(session, "tests")
    session.env["BOARDS_ENVIRONMENTS"] = "1"
    session.run("pytest", *PARALLEL, "tests/integration/test_installing.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Test once more, and tell which lines and branches no test runs."""
    install(session, "tests")
    session.env["COVERAGE_FILE"] = str(Path(session.create_tmp()) / "coverage")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def lowest(session: nox.Session) -> None:
    """Test with the lowest versions of all direct dependencies."""
    if session.venv_backend != "uv":
        session.skip("only uv resolves to the lowest versions")
    build_wheels(session)
    metadata = [f"--requirement={path}/pyproject.toml" for path in DISTRIBUTIONS.values()]
    # Of the extras all but boards-local's speech, which is 200 MB.
    extras = [
        f"--extra={name}"
        for name in nox.project.load_toml(CORE / "pyproject.toml")["project"][
            "optional-dependencies"
        ]
    ]
    session.install("--resolution=lowest-direct", "--no-sources", *extras, *metadata, *wheels())
    session.install(*group("tests"))
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes and for what is not formatted."""
    session.install(*group("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of every distribution, and of the public API as a user sees it."""
    install(session, "tests", "typing")
    session.install("nox")
    options = ["--cache-dir", str(Path(session.create_tmp()) / "cache"), *session.posargs]
    for path in DISTRIBUTIONS.values():
        session.run("mypy", *options, str(path.relative_to(ROOT) / "src"))
    session.run("mypy", *options, "noxfile.py", "tests/typing")
    session.install(*group("checkers"))
    session.run("basedpyright", "--project", "tests/typing")  # pyright, in a wheel
    # The stubs that users make, read by every checker that can be had here.
    if shutil.which("npm"):
        compiler = Path(session.create_tmp()).resolve() / "typescript"
        session.run("npm", "install", "--silent", "--prefix", compiler, TYPESCRIPT, external=True)
        places = [str(compiler / "node_modules" / ".bin"), os.environ["PATH"]]
        session.env["PATH"] = os.pathsep.join(places)
    session.run("pytest", "tests/integration/test_typed_access.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Run the examples of the documentation, then build it; every warning is an error."""
    install(session, "tests", "docs")
    session.env["BOARDS_DOCS"] = "1"
    session.run("pytest", "tests/test_docs.py", *session.posargs)
    output = ROOT / "docs" / "_build"
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-q", "-E", "docs", str(output))
    session.log("open %s", output / "index.html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, and print the comparisons; one of them: ``nox -s bench -- NAME [NUMBER ...]``."""
    install(session, "tests", "bench")
    found = {path.stem.removeprefix("bench_"): path for path in ROOT.glob("tests/bench/bench_*.py")}
    numbers = [one for one in session.posargs if one.isdecimal()]
    names = [one for one in session.posargs if one not in numbers] or sorted(found)
    if unknown := set(names) - found.keys():
        session.error(f"no bench {', '.join(sorted(unknown))}; there are: {', '.join(found)}")
    for name in names:
        session.run("python", str(found[name]), *numbers)


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheels; each has its data, and installs on its own in a fresh environment."""
    build_wheels(session)
    session.install("virtualenv")
    for name, path in DISTRIBUTIONS.items():
        check_wheel(session, BUILT[name], path / "src")
        fresh = Path(session.create_tmp()) / name
        session.run("virtualenv", "--quiet", "--clear", str(fresh), silent=True)
        python = str(fresh / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        # A plugin finds the core of this run; nothing else of the workspace is there.
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        links = ["--find-links", str(WHEELS)]
        session.run(*pip, "install", "--quiet", *links, str(BUILT[name]), external=True)
        package = min(path.glob("src/*/__init__.py")).parent.name  # pytest's plugin needs pytest
        session.run(python, "-c", f"import {package}", external=True)
        session.run(*pip, "check", external=True)


def check_wheel(session: nox.Session, wheel: Path, source: Path) -> None:
    """Every file of the source is in the wheel, data too; so are py.typed and the licence."""
    names = zipfile.ZipFile(wheel).namelist()
    wanted = [
        file.relative_to(source).as_posix()
        for file in source.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    ]
    lacking = [name for name in wanted if name not in names]
    for wanted_once in ("py.typed", "LICENSE"):
        if not any(one.endswith(f"/{wanted_once}") for one in names):
            lacking += [wanted_once]
    if lacking:
        session.error(f"{wheel.name} lacks {', '.join(lacking)}")
    session.log("%s: %d files, %d kB", wheel.name, len(names), wheel.stat().st_size // 1000)
