"""Where the library's own log goes, and what each line carries."""

import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from boards.logs import Logger, about, add_generation

FACTS = {"generation": "g1", "generator": "acme/draw", "provider": "acme", "attempt": 2}


@pytest.fixture
def driven() -> Iterator[None]:
    """As if a generation were driven here."""
    token = about.set(lambda: FACTS)
    yield
    about.reset(token)


def test_without_a_configuration_events_go_to_logging(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output belongs to the host."""
    with caplog.at_level(logging.INFO, "boards.test"):
        Logger("boards.test").warning("held up", generation="g1")
    assert "event='held up' generation='g1'" in caplog.text
    assert capsys.readouterr().out == ""


def test_a_host_that_configured_structlog_gets_its_events() -> None:
    """With the fields as they are."""
    with structlog.testing.capture_logs() as captured:
        structlog.configure(processors=structlog.get_config()["processors"])
        Logger("boards.test").warning("held up", generation="g1")
    structlog.reset_defaults()
    assert captured == [{"event": "held up", "generation": "g1", "log_level": "warning"}]


@pytest.mark.usefixtures("driven")
def test_a_line_about_a_generation_says_which(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever writes it, both ways."""
    Logger("boards.test").warning("held up")
    assert "generation='g1'" in caplog.text
    assert "attempt=2" in caplog.text
    with structlog.testing.capture_logs() as captured:
        structlog.configure(processors=structlog.get_config()["processors"])
        Logger("boards.test").warning("held up")
    structlog.reset_defaults()
    assert captured == [{"event": "held up", "log_level": "warning", **FACTS}]


@pytest.mark.usefixtures("driven")
def test_a_host_adds_the_generation_to_every_line() -> None:
    """An adapter's own logger knows nothing of us; what it says itself is kept."""
    lines: list[dict[str, object]] = []

    def keep(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        lines.append(dict(event))
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[add_generation, keep])
    log.info("rendered", provider="mine")
    assert lines == [{"event": "rendered", **FACTS, "provider": "mine"}]


def test_a_level_that_is_off_costs_no_import() -> None:
    """Structlog is slow to import, and most hosts see no line of ours below a warning."""
    code = (
        "import sys; from boards.logs import Logger; Logger('boards.test').info('x', a=1);"
        " assert 'structlog' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_no_level_is_no_method() -> None:
    """A misspelt call fails where it is written."""
    with pytest.raises(AttributeError):
        Logger("boards.test").warn_about("x")


def test_a_retry_that_nobody_listens_to_prints_nothing() -> None:
    """The bare name of stamina's event would tell a user of the command line nothing."""
    program = """
        import stamina
        from boards.logs import retries_to_logging

        retries_to_logging()
        for attempt in stamina.retry_context(on=ValueError, attempts=2, wait_initial=0):
            with attempt:
                if attempt.num == 1:
                    raise ValueError
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert ran.stdout + ran.stderr == ""
