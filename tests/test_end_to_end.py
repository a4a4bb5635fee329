"""The program as a stranger uses it: real models, the sample handbook, the command line."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.store.database import Database
from bot.store.log import ConversationLog, Turn
from retrieval.cli import whimbrel
from retrieval.errors import RetrievalError
from retrieval.records import PUBLIC
from tests.fakes import answer_to

pytestmark = pytest.mark.slow

HANDBOOK = Path(__file__).parent.parent / "examples" / "handbook"

Run = Callable[..., Result]


def run_in(home: Path) -> Run:
    """Runs the program on a home, quoting instead of generating."""
    environment = {"WHIMBREL_HOME": str(home), "WHIMBREL_GENERATOR": "none"}

    def run(*arguments: str, **more: str) -> Result:
        result = CliRunner().invoke(whimbrel, arguments, env=environment | more)
        assert result.exception is None or isinstance(result.exception, RetrievalError | SystemExit)
        return result

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handbook, where it may be changed."""
    return Path(shutil.copytree(HANDBOOK, tmp_path_factory.mktemp("documents") / "handbook"))


@pytest.fixture(scope="module")
def run(models_home: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The program with the handbook indexed."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(models_home / "models")
    program = run_in(home)
    assert "0 unchanged" in program("index", str(folder)).stdout
    return program


def turn(question: str, *, event_id: str) -> Turn:
    """A question that somebody has asked just now."""
    answer = answer_to(question)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Turn(answer, event_id, "T1", "C1", "1.0", "U1", frozenset({PUBLIC}), (), now)


def ask(run: Run, question: str, *options: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run("ask", "--json", *options, question).stdout)
    return answer


def cited(answer: dict[str, Any]) -> list[str]:
    return [citation["passage"]["source"]["id"] for citation in answer["citations"]]


def test_an_english_question_is_answered_from_its_document(run: Run) -> None:
    answer = ask(run, "How many days of annual leave do I get?")
    assert (answer["kind"], answer["language"]) == ("answer", "en")
    assert "26 days" in answer["text"]
    assert "handbook/people/leave.md" in cited(answer)


def test_a_chinese_question_is_answered_in_chinese(run: Run) -> None:
    answer = ask(run, "每年有多少天带薪年假？")
    assert (answer["kind"], answer["language"]) == ("answer", "zh")
    assert cited(answer)[0].startswith("handbook/zh/")


def test_quotes_stand_word_for_word_in_their_passages(run: Run) -> None:
    answer = ask(run, "How many days of annual leave do I get?")
    assert all(each["quote"] in each["passage"]["text"] for each in answer["citations"])


def test_a_chat_ends_with_its_input(run: Run) -> None:
    assert run("chat").exit_code == 0


def test_what_no_document_holds_is_not_answered(run: Run) -> None:
    answer = ask(run, "Who won the chess world championship in 1972?")
    assert (answer["kind"], answer["citations"]) == ("abstention", [])


def test_a_restricted_document_is_seen_by_its_audience_alone(run: Run) -> None:
    question, secret = "What is the salary band of engineers?", "people-team"
    assert secret not in run("ask", "--json", question).stdout
    assert secret not in run("search", "--json", "-k", "200", "salary bands").stdout
    assert "handbook/people-team/salary-bands.md" in cited(ask(run, question, "--audience", secret))


def test_a_document_cannot_give_orders(run: Run) -> None:
    answer = ask(run, "Is a Limpet that stopped after a lightning strike covered by the warranty?")
    assert "evil.example" not in answer["text"]
    assert "<!" not in answer["text"]


def test_search_shows_where_each_hit_is_from(run: Run) -> None:
    lines = run("search", "--json", "-k", "3", "travel expenses").stdout.splitlines()
    assert len(lines) == 3
    ids = [json.loads(line)["passage"]["source"]["id"] for line in lines]
    assert ids[0] == "handbook/people/travel.md"


@pytest.fixture(scope="module")
def tidied(run: Run, folder: Path) -> str:
    """What is said of the index after one file was renamed and another deleted."""
    assert "143 passages, 0 of them new" in run("index").stdout
    (folder / "glossary.md").rename(folder / "words.md")
    (folder / "it" / "vpn-and-laptop.md").unlink()
    return run("index").stdout


def test_deleted_and_renamed_files_vanish_and_nothing_known_is_embedded(
    run: Run, tidied: str
) -> None:
    assert ", 0 of them new" in tidied
    assert "1 added, 0 changed, 2 removed" in tidied
    found = run("search", "--json", "-k", "200", "vpn").stdout
    assert "vpn-and-laptop" not in found
    assert "glossary.md" not in found


@pytest.mark.usefixtures("tidied")
def test_a_rollback_brings_back_what_was_deleted(run: Run) -> None:
    assert "2 added, 0 changed, 1 removed" in run("rollback").stdout
    assert "vpn-and-laptop" in run("search", "--json", "-k", "200", "vpn").stdout
    assert "1 added, 0 changed, 2 removed" in run("rollback").stdout


def test_a_report_is_made_from_what_was_asked(models_home: Path, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(models_home / "models")
    database = Database(tmp_path / "whimbrel.db")
    for n, question in enumerate(("Who won the cup?", "And who won the world cup?", "年假几天？")):
        ConversationLog(database).add(turn(question, event_id=f"Ev{n}"))
    database.close()
    out = tmp_path / "out"
    told = run_in(tmp_path)("report", "--out", str(out), "--all-questions").stdout
    assert "(asked 2×, askers 1, 👎 0)" in told
    assert (out / "report.md").read_text(encoding="utf-8").strip() == told.strip()
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["total"]["questions"] == 3


@pytest.mark.parametrize("query", ["", "🎉 :tada:", "word " * 8_000])
@pytest.mark.parametrize("command", ["ask", "search"])
def test_what_is_no_question_is_refused(run: Run, command: str, query: str) -> None:
    assert run(command, query).exit_code == 1


@pytest.mark.parametrize("command", ["ask", "search", "chat"])
def test_without_an_index_the_command_that_makes_one_is_named(tmp_path: Path, command: str) -> None:
    result = run_in(tmp_path)(*[command, "How many?"][: 1 if command == "chat" else 2])
    assert "run `whimbrel index FOLDER`" in str(result.exception)
    assert not any(tmp_path.iterdir())


def test_an_empty_folder_is_called_so(models_home: Path, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(models_home / "models")
    (tmp_path / "nothing").mkdir()
    done = run_in(tmp_path)("index", str(tmp_path / "nothing"))
    assert "No text was found to search" in done.stdout


def test_a_damaged_pointer_is_mended_by_naming_the_folders(
    models_home: Path, tmp_path: Path
) -> None:
    run = run_in(tmp_path)
    (tmp_path / "models").symlink_to(models_home / "models")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "wifi.md").write_text("The guest wifi password is Heron42.")
    run("index", str(tmp_path / "documents"))
    (tmp_path / "index" / "current").write_bytes(b"\x00\xff")
    assert "index --full FOLDER" in str(run("index", "--full").exception)
    run("index", "--full", str(tmp_path / "documents"))
    assert "Heron42" in ask(run, "What is the guest wifi password?")["text"]


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("hits = ", "whimbrel.toml"),
        ('hits = "many"', "WHIMBREL_HITS"),
        ('audiences = "x"', "WHIMBREL_AUDIENCES"),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, named: str
) -> None:
    (tmp_path / "whimbrel.toml").write_text(toml)
    monkeypatch.chdir(tmp_path)
    assert named in str(run_in(tmp_path)("ask", "How many?").exception)


@pytest.mark.usefixtures("generator_folder")
def test_the_default_generator_names_a_fact_in_its_own_words(run: Run) -> None:
    question = "How long is the probation period?"
    result = run("ask", "--json", question, WHIMBREL_GENERATOR="qwen2.5-coder-0.5b-instruct")
    answer = json.loads(result.stdout)
    assert answer["method"] == "generated"
    assert "4 months" in answer["text"]
    assert cited(answer) == ["handbook/people/onboarding.md"]
    assert answer["generator"].startswith("qwen2.5-coder-0.5b-instruct@")


def test_judged_questions_are_searched_answered_and_saved(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "tea"
    folder.mkdir()
    corpus = '{"_id": "d", "title": "Tea", "text": "Tea is served at four in the galley."}\n'
    with gzip.open(folder / "corpus.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(corpus)
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "When is tea served?"}\n')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    (folder / "answers.jsonl").write_text(
        '{"_id": "q", "question": "When is tea served?", "answers": ["at four"],'
        ' "unanswerable": false, "doc_ids": ["d"]}\n'
    )
    result = run("evaluate", "--answers", str(folder))
    assert result.exit_code == 0
    assert re.search(r"\| tea +\| en +\| 1 +\| 1\.000", result.stdout)
    saved = Path(result.stdout.split("every ranking and answer: ")[1].strip())
    assert {path.name for path in saved.iterdir()} >= {"table.md", "rankings.jsonl"}
    assert json.loads((saved / "replies.jsonl").read_text())["id"] == "q"
