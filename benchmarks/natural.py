"""How useful the program is on questions as people type them.

    python -m benchmarks.natural FOLDER NQ.jsonl [--half 0|1] [--generator NAME] [--json OUT]

FOLDER holds the documents, `corpus.jsonl` in the format that `retrieval/evaluation/dataset.py`
describes. A line of NQ.jsonl is {_id, question, language, kind, unanswerable, facts, wrong[,
history, doc_ids]}: `facts` are required, each a list of spellings of which one must occur; none of
`wrong` may occur; `history` are earlier questions of the thread.

An answer is `right` with all facts, `partial` with some, `wrong` with none or with something wrong,
`missed` where it is withheld; a question without an answer is `silent` or answered `false`ly.
`useful` is the share of `right` and `silent`. `cited` counts answers that cite a document named in
`doc_ids`. `--half` asks every second question, so that one half can choose and the other report.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.commands import progress_bar
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.evaluation.metrics import auroc
from retrieval.jsonl import read_rows
from retrieval.records import Answer, AnswerRequest, Message
from retrieval.search.embedding import Embedder
from retrieval.serving.model_loader import load_answerer
from retrieval.settings import load_settings

VERDICTS = ("right", "partial", "wrong", "missed", "false", "silent")
_CJK = "\u3000-\u303f\u3400-\u9fff\uf900-\ufaff"
_FOLDED = (
    (re.compile("[\u2018\u2019]"), "'"),
    (re.compile("[\u201c\u201d]"), '"'),
    (re.compile("[\u2010-\u2015\u2212]"), "-"),
    (re.compile("[*`\u200b]"), ""),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(f"(?<=[{_CJK}]) | (?=[{_CJK}])"), ""),
)


@dataclass(frozen=True, slots=True)
class NaturalQuestion:
    """A question, and what a right answer holds."""

    id: str
    text: str
    language: str
    kind: str
    is_unanswerable: bool
    facts: Sequence[Sequence[str]]
    wrong: Sequence[str]
    history: Sequence[str]
    documents: Sequence[str]


def question_of(row: Mapping[str, Any]) -> NaturalQuestion:
    """The question of a row of NQ.jsonl."""
    return NaturalQuestion(
        row["_id"],
        row["question"],
        row["language"],
        row.get("kind", ""),
        row["unanswerable"],
        row["facts"],
        row["wrong"],
        row.get("history", ()),
        row.get("doc_ids", ()),
    )


def folded(text: str) -> str:
    """The text without what people write in different ways: case, width, dashes, marks, spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    for pattern, plain in _FOLDED:
        text = pattern.sub(plain, text)
    return text.strip()


def occurs(spelling: str, text: str) -> bool:
    """Whether a spelling stands in a folded text, not as a part of a longer number or word."""
    word = folded(spelling)
    before = after = ""
    if word[:1].isdigit():
        before = r"(?<!\d)(?<!\d[.,])"
    elif re.match("[a-z]", word) and not word.startswith("n't"):
        before = "(?<![a-z])"
    if word[-1:].isdigit():
        after = r"(?!\d)(?![.,]\d)"
    elif re.fullmatch("[a-z]{1,3}", word):
        after = "(?![a-z])"
    return re.search(before + re.escape(word) + after, text) is not None


def verdict(question: NaturalQuestion, answer: Answer) -> str:
    """One of `VERDICTS`."""
    if answer.kind == "abstention":
        return "silent" if question.is_unanswerable else "missed"
    if question.is_unanswerable:
        return "false"
    text = folded(answer.text)
    if any(occurs(spelling, text) for spelling in question.wrong):
        return "wrong"
    found = [any(occurs(spelling, text) for spelling in fact) for fact in question.facts]
    return "right" if all(found) else "partial" if any(found) else "wrong"


def cites(question: NaturalQuestion, answer: Answer) -> bool:
    """Whether an answer names a document that holds what was asked."""
    cited = [citation.passage.source.id for citation in answer.citations]
    return any(source.endswith(document) for source in cited for document in question.documents)


def counted(
    questions: Iterable[NaturalQuestion], answers: Iterable[Answer]
) -> dict[str, Counter[str]]:
    """How often each verdict was given, by kind, by language and for `all`."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question, answer in zip(questions, answers, strict=True):
        said = verdict(question, answer)
        is_cited = said in {"right", "partial", "wrong"} and cites(question, answer)
        for key in (question.kind, question.language, "all"):
            counts[key].update({said: 1, "cited": int(is_cited)})
    return dict(counts)


def confidence_auroc(questions: Iterable[NaturalQuestion], answers: Iterable[Answer]) -> float:
    """The area under the ROC curve of the confidence that a question can be answered."""
    sure: dict[bool, list[float]] = {True: [], False: []}
    for question, answer in zip(questions, answers, strict=True):
        sure[question.is_unanswerable].append(answer.confidence)
    return auroc(sure[False], sure[True])


def shares(count: Counter[str]) -> dict[str, float]:
    """`useful` and each verdict as shares of all questions."""
    total = max(1, sum(count[name] for name in VERDICTS))
    useful = (count["right"] + count["silent"]) / total
    return {"useful": useful} | {name: count[name] / total for name in VERDICTS}


def table(counts: Mapping[str, Counter[str]]) -> str:
    """A line for each kind, then for each language and for all."""
    names = sorted(set(counts) - {"en", "zh", "all"})
    names += [name for name in ("en", "zh", "all") if name in counts]
    head = f"{'':14} {'n':>4} " + " ".join(f"{name:>7}" for name in VERDICTS) + "   cited  useful"
    lines = [head]
    for name in names:
        count = counts[name]
        cells = " ".join(f"{count[verdict_]:7}" for verdict_ in VERDICTS)
        total = sum(count[verdict_] for verdict_ in VERDICTS)
        useful = shares(count)["useful"]
        lines.append(f"{name:14} {total:4} {cells} {count['cited']:7} {useful:7.1%}")
    return "\n".join(lines)


def main() -> None:
    """Ask every question and print the table."""
    arguments = parse_arguments()
    settings = load_settings()
    if arguments.generator:
        settings = settings.model_copy(update={"generator": arguments.generator})
    questions = list(read_rows(arguments.questions, question_of))
    if arguments.half is not None:
        questions = questions[arguments.half :: 2]
    embedder = Embedder.load(settings)
    answers: list[Answer] = []
    rows: list[dict[str, Any]] = []
    with progress_bar() as on_progress:
        dataset = read_dataset(arguments.folder)
        library = build_library(dataset, settings, embedder, on_progress)
        answerer = load_answerer(settings, library=library)
        began = time.perf_counter()
        for done, question in enumerate(questions, start=1):
            history = [Message("user", text) for text in question.history]
            answer = answerer.answer(AnswerRequest(question.text, history=history))
            answers.append(answer)
            rows.append(
                {
                    "_id": question.id,
                    "verdict": verdict(question, answer),
                    "kind": answer.kind,
                    "method": answer.method,
                    "confidence": answer.confidence,
                    "text": answer.text,
                    "citations": [citation.passage.source.id for citation in answer.citations],
                    "seconds": answer.timings["total"],
                }
            )
            on_progress("asking", done, len(questions))
        seconds = (time.perf_counter() - began) / max(1, len(questions))
    counts = counted(questions, answers)
    print(table(counts))
    area = confidence_auroc(questions, answers)
    print(f"AUROC of the confidence, answerable or not: {area:.3f}")
    print(f"{answerer.models()}; {seconds:.1f} s a question")
    if arguments.json:
        finite = None if math.isnan(area) else area
        found = shares(counts["all"]) | {"auroc": finite, "seconds": seconds, "answers": rows}
        arguments.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")


def parse_arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the documents")
    parser.add_argument("questions", type=Path, help="NQ.jsonl")
    parser.add_argument("--half", type=int, choices=(0, 1), help="ask every second question")
    parser.add_argument("--generator", help="another generator than the settings name")
    parser.add_argument("--json", type=Path, help="a file for shares and answers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
