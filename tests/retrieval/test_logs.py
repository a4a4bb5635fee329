from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from retrieval.cli import whimbrel
from retrieval.errors import PACKAGES
from retrieval.logs import set_up_logs
from retrieval.settings import Settings
from retrieval.tracing import trace_of, traced

TOKEN = "xoxb-" + "1234567890-abcdef"


Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[Said]:
    """What stands on standard error; afterwards, logging is as it was before."""
    root = logging.getLogger()
    handlers, levels = root.handlers, [logging.getLogger(name).level for name in PACKAGES]
    yield lambda: capsys.readouterr().err
    root.handlers = handlers
    for name, level in zip(PACKAGES, levels, strict=True):
        logging.getLogger(name).setLevel(level)


def test_json_logs_have_one_object_a_line_with_the_trace(said: Said) -> None:
    set_up_logs(Settings(log="json"), level="info")
    with traced(trace_of("Ev1")):
        logging.getLogger("bot.app").info("answered turn=%s", "t1")
    (line,) = said().splitlines()
    told = json.loads(line)
    assert told["event"] == "answered turn=t1"
    assert told["trace"] == trace_of("Ev1")
    assert (told["level"], told["logger"]) == ("info", "bot.app")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_log_holds_a_token_not_even_in_a_traceback(said: Said, form: str) -> None:
    set_up_logs(Settings.model_validate({"log": form}))
    try:
        int(TOKEN)
    except ValueError:
        logging.getLogger("retrieval").exception("failed with %s", TOKEN)
    written = said()
    assert "ValueError" in written
    assert written.count("<TOKEN>") >= 2
    assert TOKEN not in written


def test_the_level_is_that_of_the_setting_and_libraries_say_what_is_wrong_alone(
    said: Said,
) -> None:
    set_up_logs(Settings(log_level="debug"))
    logging.getLogger("training.data").debug("seen")
    logging.getLogger("aiohttp").info("unseen")
    written = said()
    assert " seen " in written
    assert "unseen" not in written


@pytest.mark.usefixtures("said")
def test_the_level_holds_for_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_LOG_LEVEL", "debug")
    CliRunner().invoke(whimbrel, ["search", "leave"])
    assert logging.getLogger("retrieval").level == logging.DEBUG
