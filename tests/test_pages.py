"""The commands of the README and the docs as a reader would run them, one after the other.

Each one that stands in a block for a shell is run here, or is named beside the test that runs it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from retrieval.cli import whimbrel
from tests.test_docs import FENCE, NAMES, read

ROOT = Path(__file__).parent.parent

RUN = {
    "index ~/handbook ~/wiki-export": "0 unchanged",
    'ask "How do I claim travel expenses?"': r"\[1\]",
    "chat": "26 days",
    'search "travel expenses"': "travel",
    "doctor": "whimbrel serve",
    "doctor --fix": "whimbrel serve",
    "status": "generation",
    "index examples/handbook": "passages",
    "rollback": "from the next question on",
    "evaluate FOLDER": "nDCG",
    "calibrate FOLDER": "answers from confidence",
    "import-ratings examples/ratings --consented": "ratings",
    "export": "dataset",
    "models": "multilingual-e5-small",
    "export-analytics analytics.db": "questions",
    "keys create intranet --per-minute 60": "whimbrel_",
    "keys list": "60 a minute",
    "keys usage": "month",
    "keys revoke intranet": "opens nothing",
    "backup /backup": "verified",
    "backup --recipient age1... /backup/w.age": "verified",
    "restore /backup/w.age --identity key.txt --verify": "all as they were written",
    "restore /backup/w.age --identity key.txt --replace": "is as it was",
    "backup before-upgrade.tar": "verified",
    "restore before-upgrade.tar --replace": "is as it was",
}
"""What is run here, in this order, and something that it says."""

ELSEWHERE = {
    "api": "tests/test_ways_in.py",
    "ask": "tests/test_ways_in.py",
    "dashboard": "tests/bot/dashboard/test_commands.py",
    "distil": "tests/training/commands/test_distil.py",
    "evaluate": "tests/test_end_to_end.py",
    "export": "tests/bot/export/test_commands.py",
    "import-ratings": "tests/bot/export/test_commands.py",
    "index": "tests/retrieval/test_commands.py",
    "learn": "tests/training/commands/test_learn.py",
    "migrate": "tests/bot/app/test_migrating.py",
    "models": "tests/training/commands/test_runs.py",
    "prune": "tests/training/generator/test_pruning.py",
    "publish": "tests/training/commands/test_runs.py",
    "rollback": "tests/training/commands/test_runs.py",
    "quantise": "tests/training/generator/test_compression.py",
    "replay": "tests/bot/replay/test_commands.py",
    "serve": "tests/test_worker.py",
    "train": "tests/training/commands/test_train.py",
    "workspaces": "tests/bot/workspaces/test_commands.py",
}
"""What takes long, serves, or needs what is learned first, and the test that runs it."""


def judge(folder: Path) -> None:
    """Write so many judged questions that `whimbrel calibrate` has enough."""
    folder.mkdir()
    lamps, races = range(50), range(50, 120)
    corpus = [
        {"_id": f"d{n}", "title": f"Pier {n}", "text": f"The lamp of pier {n} is called Heron {n}."}
        for n in lamps
    ]
    asked = {n: f"What is the lamp of pier {n} called?" for n in lamps}
    answers = [
        {"_id": f"q{n}", "question": question, "answers": [f"Heron {n}"], "unanswerable": False}
        for n, question in asked.items()
    ] + [
        {"_id": f"q{n}", "question": f"Who won race {n}?", "answers": [], "unanswerable": True}
        for n in races
    ]
    queries = [{"_id": f"q{n}", "text": question} for n, question in asked.items()]
    for name, rows in (("corpus", corpus), ("queries", queries), ("answers", answers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = "".join(f"q{n}\td{n}\t1\n" for n in lamps)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")


def shown() -> Iterator[str]:
    """What follows `whimbrel` in each line for a shell that a page shows."""
    for page in NAMES:
        for language, block in FENCE.findall(read(page)):
            if language in ("sh", "bash", "console"):
                for line in block.replace("\\\n", " ").splitlines():
                    if found := re.match(r"\s*(?:\w+=\S+ )?whimbrel (.+)", line):
                        yield " ".join(re.sub(r"\s#.*", "", found[1]).split())


def test_every_command_that_a_page_shows_is_run_by_a_test() -> None:
    left = sorted({line for line in shown() if line not in RUN})
    assert [line for line in left if line.split()[0] not in ELSEWHERE] == []
    for name, path in ELSEWHERE.items():
        assert re.search(rf"\b{name.replace('-', '[-_]')}\b", (ROOT / path).read_text("utf-8")), (
            name,
            path,
        )
    pages = "\n".join(map(read, NAMES))
    assert [line for line in RUN if f"whimbrel {line}" not in pages] == []


@pytest.mark.slow
def test_the_commands_say_what_the_pages_promise(
    tmp_path: Path, models_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyrage = pytest.importorskip("pyrage")
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"{identity}\n")
    judge(tmp_path / "FOLDER")
    (tmp_path / "backup").mkdir()
    (tmp_path / ".whimbrel").mkdir()
    (tmp_path / ".whimbrel" / "models").symlink_to(models_home / "models")
    for name, target in (
        ("examples", "examples"),
        ("handbook", "examples/handbook/people"),
        ("wiki-export", "examples/handbook/people-team"),
    ):
        (tmp_path / name).symlink_to(ROOT / target)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WHIMBREL_GENERATOR", "none")
    for line, told in RUN.items():
        here = line.replace("/backup", f"{tmp_path}/backup").replace(
            "age1...", str(identity.to_public())
        )
        arguments = [os.path.expanduser(part) for part in shlex.split(here)]  # noqa: PTH111 - as a shell
        asked = "How many days of annual leave do I get?\n" if line == "chat" else None
        done = CliRunner().invoke(whimbrel, arguments, input=asked, catch_exceptions=False)
        assert re.search(told, done.output), (line, done.output)
        assert done.exit_code == 0, (line, done.output)
