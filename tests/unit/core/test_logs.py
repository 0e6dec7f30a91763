"""Where the library's own log goes."""

import logging

import pytest
import structlog

from boards.logs import Logger


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
