"""How useful answers are to questions as they were given, and to their noisy twins.

    python -m benchmarks.robustness CORPUS QUESTIONS.jsonl [--json OUT] [--picture OUT.svg]

CORPUS and QUESTIONS.jsonl are as `benchmarks/natural.py` describes; that also says when an answer
is useful. Earlier questions of a thread stay as they are. `unmended` takes typing errors as they
come. WHIMBREL_GENERATOR=none asks the program without a generator, which is quicker.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.natural import NaturalQuestion, question_of, verdict
from benchmarks.robustness.twins import Scores, Unmended, losses, noisy_sets, save
from retrieval.answering.answerer import Answerer
from retrieval.commands import progress_bar
from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.evaluate import build_library
from retrieval.jsonl import read_rows
from retrieval.records import AnswerRequest, Message
from retrieval.search.embedding import Embedder
from retrieval.serving.model_loader import load_answerer
from retrieval.settings import load_settings

USEFUL = frozenset({"right", "silent"})


def usefulness(answerer: Answerer, questions: Sequence[NaturalQuestion]) -> Scores:
    """1 for a useful answer or silence, else 0."""

    def scores(texts: Sequence[str], rows: Sequence[int]) -> list[float]:
        found = []
        for text, row in zip(texts, rows, strict=True):
            history = [Message("user", earlier) for earlier in questions[row].history]
            answer = answerer.answer(AnswerRequest(text, history=history))
            found.append(float(verdict(questions[row], answer) in USEFUL))
        return found

    return scores


def main() -> None:
    """Ask every question and its twins, print the table and draw it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="OUT", help="one for light, one for dark")
    options = parser.parse_args()
    settings = load_settings()
    questions = list(read_rows(options.questions, question_of))
    texts = [question.text for question in questions]
    sets = noisy_sets(texts)
    embedder, dataset = Embedder.load(settings), read_dataset(options.corpus)
    with progress_bar() as on_progress:
        library = build_library(dataset, settings, embedder, on_progress)
    answerer = load_answerer(settings, library=library)
    print(f"{answerer.models()}: useful share")
    found = losses("as it serves", texts, sets, usefulness(answerer, questions))
    unmended = replace(answerer, searcher=Unmended(answerer.searcher.index, embedder))
    typos = [noise for noise in sets if noise.kind == "typos"]
    found += losses("unmended", texts, typos, usefulness(unmended, questions))
    save(found, options.json, options.picture)


if __name__ == "__main__":
    main()
