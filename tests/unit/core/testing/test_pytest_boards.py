"""The fixtures for authors: each in a project that is not this one, and none where unused."""

import json
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

INI = """
    [pytest]
    asyncio_mode = auto
    asyncio_default_fixture_loop_scope = function
    addopts = --strict-markers
    filterwarnings = error
"""

ACME = {
    "spec": 1,
    "providers": {
        "acme": {
            "docs": "https://docs.acme.example",
            "setup": "Set ACME_KEY.",
            "config": {"base_url": "https://api.acme.example/v1", "api_key_env": "ACME_KEY"},
            "auth": {"kind": "bearer"},
        }
    },
    "generators": [
        {
            "name": "sketch",
            "artifact_type": "image",
            "provider": "acme",
            "io": {
                "input_schema": {
                    "type": "object",
                    "required": ["prompt"],
                    "properties": {"prompt": {"type": "string"}},
                }
            },
            "execution": {
                "submit": {
                    "method": "POST",
                    "path": "/sketches",
                    "json": {"text": "${input.prompt}"},
                },
                "extract": {"outputs": [{"from": "body.pictures[*].url"}]},
            },
        }
    ],
}


def run(pytester: pytest.Pytester, suite: str, *arguments: str, ini: str = INI) -> pytest.RunResult:
    """Run a suite in a process of its own."""
    pytester.makeini(textwrap.dedent(ini))
    pytester.makepyfile(textwrap.dedent(suite))
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_nothing_is_imported_for_those_who_do_not_use_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin is loaded at every start, and nothing else."""
    suite = """
        import sys

        def test_no_module_of_boards(request):
            assert request.config.pluginmanager.has_plugin("pytest_boards")
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"boards", "aiohttp", "yaml", "attrs", "attr"}
    """
    pytester.makeini("[pytest]")
    pytester.makepyfile(textwrap.dedent(suite))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess("-p", "pytest_boards")
    result.assert_outcomes(passed=1)


def test_it_is_loaded_by_being_installed(pytester: pytest.Pytester) -> None:
    """The distribution names it: nothing is to be written into a project's own files."""
    suite = """
        def test_the_plugin_is_there(request):
            assert request.config.pluginmanager.has_plugin("boards")
    """
    run(pytester, suite).assert_outcomes(passed=1)


def test_a_home_of_its_own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, key or file of this machine gets in."""
    pytester.makefile(".env", "FAL_KEY=from-a-file")
    for name in ("FAL_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "BOARDS_STRICT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KEYBOARD_LAYOUT", "qwerty")
    suite = """
        import os
        from boards.settings import load

        def test_settings(boards_home):
            settings = load()
            assert settings.home == boards_home
            assert [*boards_home.iterdir()] == []
            assert not settings.strict
            for name in ("FAL_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"):
                assert settings.secret(name) is None
            assert settings.secret("KEYBOARD_LAYOUT") == "qwerty"

        def test_the_environment_is_as_before():
            assert os.environ["FAL_KEY"] == "1"
    """
    run(pytester, suite).assert_outcomes(passed=2)


def test_boards_is_open(pytester: pytest.Pytester) -> None:
    """On the home; in pytest-asyncio's loop, in its strict mode too."""
    suite = """
        import pytest

        @pytest.mark.asyncio
        async def test_it_is_open(boards, boards_home):
            assert boards.settings.home == boards_home
            assert await boards.list() == []
    """
    run(pytester, suite).assert_outcomes(passed=1)
    strict = INI.replace("asyncio_mode = auto", "asyncio_mode = strict")
    run(pytester, suite, ini=strict).assert_outcomes(passed=1)


def test_an_emulator_written_by_hand(pytester: pytest.Pytester) -> None:
    """It plays a provider that is installed; the order of the fixtures does not matter."""
    pytest.importorskip("boards_replicate")
    suite = """
        import pytest

        pytestmark = pytest.mark.boards_provider("replicate", fail_every=2)

        async def test_it_generates(boards, provider_emulator):
            one = await boards.generate("replicate/flux-schnell", prompt="a fox")
            assert one.artifacts[0].mime.startswith("image/")
            assert provider_emulator.stats["jobs"] == 1

        async def test_the_knobs_are_the_marks(provider_emulator, boards):
            await boards.submit("replicate/flux-schnell", prompt="a fox")
            two = await boards.submit("replicate/flux-schnell", prompt="a fox")
            assert (await boards.wait(two.id)).status == "failed"
    """
    run(pytester, suite).assert_outcomes(passed=2)


def test_an_emulator_of_a_file(pytester: pytest.Pytester) -> None:
    """Any YAML beside the test is played from what it says."""
    pytester.makefile(".yaml", acme=json.dumps(ACME))
    suite = """
        import pytest

        @pytest.mark.boards_provider("acme.yaml")
        async def test_it_generates(boards, provider_emulator):
            generation = await boards.generate("acme/sketch", prompt="a fox")
            assert generation.artifacts[0].size > 0

        @pytest.mark.boards_provider("missing.yaml")
        def test_a_missing_file(provider_emulator):
            pass

        @pytest.mark.boards_provider("nobody")
        def test_an_unknown_provider(provider_emulator):
            pass

        def test_no_mark(provider_emulator):
            pass
    """
    result = run(pytester, suite)
    result.assert_outcomes(passed=1, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*NotFoundError: There is no file *missing.yaml.",
            "*nobody*",
            "*provider_emulator: which provider?*",
        ],
    )


def test_a_paid_provider_counts_charges(pytester: pytest.Pytester) -> None:
    """In a process that tests cannot harm; each test has an account of its own."""
    suite = """
        import pytest
        from boards import GenerationUnresolvedError
        from boards.testing.paid_provider import Behaviour

        async def test_a_charge(boards, paid_provider):
            generation = await boards.generate("paid/draw", prompt="a fox")
            assert generation.artifacts[0].mime == "image/png"
            assert paid_provider.charges() == {"a fox": 1}

        async def test_a_lost_reply_is_charged_once(paid_provider, boards):
            paid_provider.behave(Behaviour(lose=1))
            with pytest.raises(GenerationUnresolvedError):
                await boards.generate("paid/draw", prompt="a fox")
            assert paid_provider.charges() == {"a fox": 1}
            assert paid_provider.asked()["submit"] == paid_provider.lost() == 1

        async def test_charges_outlive_the_provider(boards, paid_provider):
            await boards.generate("paid/draw", prompt="a fox")
            paid_provider.provider.kill()
            paid_provider.provider.start()
            assert paid_provider.charges() == {"a fox": 1}
            assert paid_provider.charges_by_key() == {}

        async def test_keys_are_counted(paid_provider):
            import aiohttp

            paid_provider.behave(Behaviour(honours_key=True))
            async with aiohttp.ClientSession() as client:
                for _ in range(2):
                    await client.post(
                        paid_provider.url + "/jobs",
                        json={"prompt": "a fox"},
                        headers={"Idempotency-Key": "k1"},
                    )
            assert paid_provider.charges_by_key() == {"k1": 1}
            assert paid_provider.asked() == {"submit": 2}
    """
    run(pytester, suite).assert_outcomes(passed=4)


def test_both_providers_at_once(pytester: pytest.Pytester) -> None:
    """One home knows all providers of a test."""
    pytester.makefile(".yaml", acme=json.dumps(ACME))
    suite = """
        import pytest

        @pytest.mark.boards_provider("acme.yaml")
        async def test_both(boards, provider_emulator, paid_provider):
            for name in ("acme/sketch", "paid/draw"):
                assert (await boards.generate(name, prompt="a fox")).artifacts
    """
    run(pytester, suite).assert_outcomes(passed=1)


def test_the_plugin_is_where_the_entry_point_says() -> None:
    """A module beside the package, which pytest can import without it."""
    import pytest_boards

    assert Path(pytest_boards.__file__).parent.name == "pytest_boards"
    assert (Path(pytest_boards.__file__).parent / "py.typed").is_file()
