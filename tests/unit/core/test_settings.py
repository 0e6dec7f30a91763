"""Arguments over the environment over ``.env`` over defaults; a bad value names itself."""

from pathlib import Path
from typing import Any

import pytest

from boards.errors import SettingsError
from boards.settings import Settings, load


def of(environment: dict[str, str] | None = None, **overrides: Any) -> Settings:
    return load(**({"home": "/nowhere/home", "environment": environment or {}} | overrides))


def test_defaults() -> None:
    """Without any setting, everything has a value that works."""
    settings = of()
    assert settings.cache == Path("/nowhere/home/cache")
    assert settings.plugins is None
    assert settings.max_output_bytes == 2_000_000_000
    assert settings.max_output_bytes == 2_000_000_000
    assert settings.providers_config_path is None


def test_home_is_the_users_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without BOARDS_HOME, the platform says where data belongs."""
    monkeypatch.delenv("BOARDS_HOME", raising=False)
    assert load(environment={}).home.name == "boards"


def test_files_in_home_are_found(tmp_path: Path) -> None:
    """providers.yaml and generators.yaml in the home directory count."""
    (tmp_path / "providers.yaml").touch()
    (tmp_path / "generators.yaml").touch()
    settings = load(home=tmp_path, environment={})
    assert settings.providers_config_path == tmp_path / "providers.yaml"
    assert settings.generators_config_path == tmp_path / "generators.yaml"


def test_arguments_win_over_the_environment_and_that_over_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each setting comes from the strongest of the three that has it."""
    (tmp_path / ".env").write_text(
        "BOARDS_HOME=dotenv\nBOARDS_MAX_OUTPUT_SIZE=1MB\n"
        "BOARDS_PLUGINS=dotenv\nFAL_KEY=' spaced '\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOARDS_MAX_OUTPUT_SIZE", "2MB")
    monkeypatch.setenv("BOARDS_PLUGINS", "environment")
    settings = load(plugins=["argument"])
    assert settings.home == tmp_path / "dotenv"
    assert settings.max_output_bytes == 2_000_000
    assert settings.plugins == ("argument",)
    assert settings.secret("FAL_KEY") == "spaced"


def test_an_empty_variable_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable hides the one in .env and leaves the default."""
    (tmp_path / ".env").write_text("BOARDS_MAX_OUTPUT_SIZE=1MB\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOARDS_MAX_OUTPUT_SIZE", " ")
    monkeypatch.setenv("BOARDS_HOME", str(tmp_path))
    assert load().max_output_bytes == 2_000_000_000


def test_an_argument_that_is_none_is_not_given() -> None:
    """A command passes on what was not typed."""
    assert of({"BOARDS_STRICT": "1"}, strict=None).strict


def test_an_unknown_argument_is_told() -> None:
    """A slip in an argument is a TypeError that lists the settings."""
    with pytest.raises(TypeError, match="concurency: no such setting; there are: home, cache"):
        of(concurency=None)


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("BOARDS_PLUGINS", "a, b-c ,", "plugins", ("a", "b-c")),
        ("BOARDS_PLUGINS_DISABLED", "a", "plugins_disabled", ("a",)),
        ("BOARDS_PROVIDER_PRIORITY", "fal,replicate", "provider_priority", ("fal", "replicate")),
        ("BOARDS_STRICT", "TRUE", "strict", True),
        ("BOARDS_STRICT", "off", "strict", False),
        ("BOARDS_ALLOW_PRIVATE_HOSTS", "1", "allow_private_hosts", True),
        ("BOARDS_ALLOW_PRIVATE_HOSTS", "no", "allow_private_hosts", False),
        (
            "BOARDS_ALLOW_PRIVATE_HOSTS",
            "127.0.0.1:8765,[::1]:80,gpu.local",
            "allow_private_hosts",
            ("127.0.0.1:8765", "[::1]:80", "gpu.local"),
        ),
        ("BOARDS_MAX_OUTPUT_SIZE", "1.5MB", "max_output_bytes", 1_500_000),
    ],
)
def test_a_value(variable: str, text: str, name: str, value: Any) -> None:
    """Each variable is read in its own form."""
    assert getattr(of({variable: text}), name) == value


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("BOARDS_PLUGINS", "a b", "names, separated by commas"),
        ("BOARDS_STRICT", "maybe", "1 or 0"),
        ("BOARDS_ALLOW_PRIVATE_HOSTS", "http://localhost", "addresses such as 127.0.0.1:8765"),
        ("BOARDS_ALLOW_PRIVATE_HOSTS", "localhost:99999", "addresses such as 127.0.0.1:8765"),
        ("BOARDS_MAX_OUTPUT_SIZE", "2GiB", "a size such as 256KB, 1MB or 2GB"),
        ("BOARDS_MAX_OUTPUT_SIZE", "0GB", "a size such as"),
        ("BOARDS_PROVIDERS_CONFIG_PATH", "/nowhere/x.yaml", "the path of a file that exists"),
    ],
)
def test_a_bad_value_names_the_setting_and_what_is_allowed(
    variable: str, text: str, expected: str
) -> None:
    """An error says which setting, its value, where it comes from and what it may be."""
    with pytest.raises(SettingsError) as caught:
        of({variable: text})
    message = str(caught.value)
    assert f"{variable} is {text!r} in the environment: expected " in message
    assert expected in message
    assert variable in caught.value.remedy


def test_a_bad_value_in_dotenv_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for the value is sent to the right place."""
    (tmp_path / ".env").write_text("BOARDS_MAX_OUTPUT_SIZE=x\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"BOARDS_MAX_OUTPUT_SIZE is 'x' in \.env"):
        load()


def test_a_bad_argument_is_named_as_the_argument() -> None:
    """An argument is told by its own name."""
    with pytest.raises(SettingsError, match="max_output_bytes is True in an argument"):
        of(max_output_bytes=True)


@pytest.mark.parametrize("wrong", [7, [7], {7: 1}])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plugins", "names, separated by commas"),
        ("allow_private_hosts", "1, 0, or addresses such as"),
        ("budget", "budgets such as 10 USD/day"),
    ],
)
def test_a_list_that_is_none_is_told_with_what_is_allowed(
    name: str, expected: str, wrong: Any
) -> None:
    """And not with what Python says of it."""
    with pytest.raises(SettingsError) as caught:
        of(**{name: wrong})
    assert f"{name} is {wrong!r} in an argument: expected {expected}" in str(caught.value)


def test_a_password_in_an_address_is_not_shown() -> None:
    """An address with one is refused, and what is refused is told."""
    with pytest.raises(SettingsError, match=r"https://\*\*\*@boards\.example/w") as caught:
        of({"BOARDS_WEBHOOK_URL": "https://me:hush@boards.example/w"})
    assert "hush" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """The environment is in no repr; an empty secret is none."""
    settings = of({"FAL_KEY": "hunter2", "EMPTY": " "})
    assert "hunter2" not in repr(settings)
    assert settings.secret("FAL_KEY") == "hunter2"
    assert settings.secret("EMPTY") is None
    assert settings.secret("MISSING") is None
    with pytest.raises(TypeError):
        settings.environment["FAL_KEY"] = "other"  # type: ignore[index]
