"""Tests of reading notebooks, subtitles, JSON and YAML that are prose, programs and logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retrieval.documents.loaders import load
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import NoDocumentError, RestrictedError, UnreadableError
from retrieval.index.building import update_index
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder


def loaded(name: str, data: str | bytes, *text_types: str) -> Loaded:
    (document,) = load(Path(name), data if isinstance(data, bytes) else data.encode(), text_types)
    return document


def text(name: str, data: str, *text_types: str) -> str:
    return "".join(section.text for section in loaded(name, data, *text_types).sections).strip()


def notebook(*cells: dict[str, Any], **metadata: Any) -> str:
    info = {"language_info": {"name": "python"}, **metadata}
    return json.dumps({"nbformat": 4, "metadata": info, "cells": cells})


TITLE = {"cell_type": "markdown", "source": ["# Leave\n", "Thirty **days**."]}
CODE = {
    "cell_type": "code",
    "source": "print(days)",
    "outputs": [
        {"output_type": "stream", "text": ["30\n"]},
        {"output_type": "display_data", "data": {"image/png": "x", "text/plain": "<Figure>"}},
        {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": ["…"]},
        {"output_type": "execute_result", "data": {"text/plain": "\x1b[31m31\x1b[0m"}},
    ],
}


def test_a_notebook_is_its_text_its_code_and_what_that_printed() -> None:
    document = loaded("a.ipynb", notebook(TITLE, CODE))
    assert (document.title, document.sections[0].headings) == ("Leave", ("Leave",))
    said = document.sections[0].text
    for words in ("print(days)", "\n30\n", "KeyError: 'x'", "\n31\n"):
        assert words in said
    assert "Figure" not in said
    assert document.gaps == ("1 of its outputs are pictures only",)


@pytest.mark.parametrize(
    "data",
    [
        notebook(TITLE, audience=["hr"]),
        notebook(TITLE, Audience="hr"),
        notebook(TITLE, doc={"audience": "hr"}),
        notebook(TITLE, visibility="private"),
        notebook({**TITLE, "metadata": {"audience": "hr"}}),
        notebook({**TITLE, "source": "---\nAudience: hr\n---\n# Leave"}),
    ],
)
def test_a_notebook_that_may_restrict_its_readers_is_refused(data: str) -> None:
    with pytest.raises(RestrictedError):
        loaded("a.ipynb", data)


def test_a_notebook_names_its_audience() -> None:
    assert loaded("a.ipynb", notebook(TITLE, audience="hr")).audience == "hr"
    front = {"cell_type": "raw", "source": "---\naudience: hr\n---\n"}
    assert loaded("a.ipynb", notebook(front, TITLE)).audience == "hr"


@pytest.mark.parametrize("data", ["{}", "[]", '{"nbformat": 4, "cells": [1]}', "x"])
def test_what_is_no_notebook_is_refused(data: str) -> None:
    with pytest.raises(UnreadableError, match="is not a notebook"):
        loaded("a.ipynb", data)


VTT = """WEBVTT Kickoff

NOTE made by hand

STYLE
::cue { color: red }

1
00:00:01.000 --> 00:00:03.000 align:start
<v Ann Lee>Leave is <i>thirty</i> days.</v>

00:00:03.500 --> 00:00:05.000
<v Ann Lee>Ask &amp; you get it.

00:01:20.000 --> 00:01:22.000
<v Bob>When?</v>
"""
SRT = (
    "1\r\n00:00:01,000 --> 00:00:03,000\r\nAnn: Leave is\r\n{\\an8}thirty days.\r\n\r\n"
    "2\r\n01:00:00,000 --> 01:00:03,000\r\n- Bob: When?\r\n"
)


def test_subtitles_are_turns_with_their_time_and_speaker() -> None:
    assert text("a.vtt", VTT) == (
        "[0:00:01] Ann Lee: Leave is thirty days. Ask & you get it.\n\n[0:01:20] Bob: When?"
    )
    assert text("a.srt", SRT) == ("[0:00:01] Ann: Leave is thirty days.\n\n[1:00:00] Bob: When?")


def test_long_turns_have_a_time_for_each_minute_and_rolling_lines_are_said_once() -> None:
    cues = [f"00:{n:02}:00.000 --> 00:{n:02}:59.000\nline {n}\nline {n}" for n in range(3)]
    said = text("a.vtt", "WEBVTT\n\n" + "\n\n".join(cues))
    assert said == "[0:00:00] line 0 line 1\n\n[0:02:00] line 2"


def test_subtitles_that_may_restrict_their_readers_are_refused() -> None:
    with pytest.raises(RestrictedError):
        loaded("a.vtt", VTT.replace("NOTE made by hand", "NOTE\naudience: hr"))
    assert "Audience: Why" in text("a.srt", SRT.replace("Bob: When", "Audience: Why"))
    with pytest.raises(UnreadableError, match="no times"):
        loaded("a.srt", "words")


LONG = "Every employee has thirty days of paid leave in each year of work."
FAQ: list[dict[str, Any]] = [
    {"question": "How long is leave?", "answer": "Thirty days.", "tags": ["hr", "time"]},
    {"question": "And in May?", "answer": "Thirty-one.", "votes": 3},
]


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.yml", "a.jsonl", "a.ndjson"])
def test_questions_with_answers_are_read_each_under_its_question(name: str) -> None:
    is_lines = name.endswith(("jsonl", "ndjson"))
    data = "\n".join(map(json.dumps, FAQ)) if is_lines else json.dumps(FAQ)
    first, second = loaded(name, data).sections
    assert first.headings == ("How long is leave?",)
    assert first.text.strip() == "Thirty days.\n\ntags:\n- hr\n- time"
    assert second.text.strip() == "Thirty-one.\nvotes: 3"


YES_NO = (
    "- {question: Is it?, answer: Rarely.}\n- {question: Paid?, answer: no, since: 2026-01-02}\n"
)


def test_values_are_said_as_they_are_written() -> None:
    said = loaded("a.yaml", YES_NO + "- {question: On?, answer: yes, of: 1.10}\n").sections
    assert [section.text.split() for section in said] == [
        ["Rarely."],
        ["no", "since:", "2026-01-02"],
        ["yes", "of:", "1.10"],
    ]
    odd = '{"question": "Paid?", "answer": "Yes.", "of": 1.10, "days": [1e3, false], "new": true}'
    assert text("a.json", odd) == "Yes.\nof: 1.10\n\ndays:\n- 1e3\n- false\nnew: true"


@pytest.mark.parametrize("label", ["no", "5", "2026-01-02", "1.5"])
def test_a_value_that_is_no_text_is_no_label(label: str) -> None:
    data = f"audience: {label}\nfaq:\n- {{question: Is it?, answer: Rarely.}}\n"
    with pytest.raises(RestrictedError, match=f"audience is {label}"):
        loaded("a.yaml", data)
    with pytest.raises(RestrictedError, match="audience is 5"):
        loaded("a.json", json.dumps({"audience": 5, "faq": FAQ}))


def test_a_single_question_is_prose_however_short() -> None:
    document = loaded("a.json", '{"question":"How long?","answer":"406 days"}')
    assert (document.sections[0].headings, document.sections[0].text.strip()) == (
        ("How long?",),
        "406 days",
    )


def test_long_texts_are_read_below_what_they_are_called() -> None:
    pages = {"title": "Handbook", "pages": [{"name": f"Page {n}", "body": LONG} for n in range(5)]}
    document = loaded("a.yaml", json.dumps(pages))
    assert document.title == "Handbook"
    assert document.sections[-1].headings == ("Handbook", "pages", "Page 4")
    assert document.sections[-1].text.strip() == LONG


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("package.json", '{"name": "x", "description": "' + LONG + '", "scripts": {"a": "b"}}'),
        ("a.json", "[1, 2, 3]"),
        ("tsconfig.json", '{\n  // what is built\n  "a": 1,\n}'),
        ("a.json", json.dumps({"urls": ["https://example.com/" + "a-b/" * 30] * 9})),
        ("mkdocs.yml", "theme: x\nfence: !!python/name:a.b\n"),
        ("compose.yaml", "services:\n  web:\n    image: nginx\n"),
        ("a.jsonl", '{"level": "info", "n": 1}\n' * 9),
    ],
)
def test_settings_and_data_are_no_documents(name: str, data: str) -> None:
    with pytest.raises(NoDocumentError, match=Path(name).suffix):
        loaded(name, data)


@pytest.mark.parametrize(
    "extra", [{"Audience": "hr"}, {"visibility": "internal"}, {"meta": {"audience": "hr"}}]
)
def test_data_that_may_restrict_its_readers_is_refused(extra: dict[str, Any]) -> None:
    for value in ({**FAQ[0], **extra}, [FAQ[1], {**FAQ[0], **extra}]):
        with pytest.raises(RestrictedError):
            loaded("a.json", json.dumps(value))
    assert loaded("a.json", json.dumps({"audience": "hr", "faq": FAQ})).audience == "hr"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.json", "{", "is not valid JSON"),
        ("a.yaml", "a: b: c", "is not valid YAML"),
        (
            "a.yaml",
            "a0: &a0 [question, answer]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
            "holds more than 500,000 values",
        ),
    ],
)
def test_data_that_cannot_be_read_is_refused(name: str, data: str, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        loaded(name, data)


def test_programs_and_logs_are_read_where_that_is_asked_for(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "app.py").write_text("def f():\n    return 413\n")
    (docs / "app.log").write_text("log says 413 days\n")
    settings = Settings(home=tmp_path / "home")
    report = update_index([docs], settings, WordEmbedder())
    assert dict(report.account.left_out) == {".log": 1, ".py": 1}
    asked = Settings(home=tmp_path / "home", text_types=(".py", ".LOG"))
    assert update_index([docs], asked, WordEmbedder()).account.read == 2
    assert text("app.py", "def f():\n    return 1", ".py") == "```\ndef f():\n    return 1\n```"
    assert loaded("app.py", "x", ".py").title == "app.py"
    assert "image: nginx" in text("compose.yaml", "web:\n  image: nginx\n", ".yaml")


def test_data_below_a_folder_is_counted_by_type(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "faq.json").write_text(json.dumps(FAQ))
    (docs / "package.json").write_text('{"name": "x"}')
    report = update_index([docs], Settings(home=tmp_path / "home"), WordEmbedder())
    assert (report.account.read, dict(report.account.left_out)) == (1, {".json": 1})
