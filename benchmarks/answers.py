"""Answers of Whimbrel beside those of the bare model, on judged questions.

    python -m benchmarks.answers FOLDER... [--generator NAME]... [--questions N]

A FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with answers.jsonl; the
head of `benchmarks/retrieval.py` says where the public can get some. Only questions of the half
that `whimbrel calibrate` never fits on are asked. All see the same hits:

- `bare`: the passages and the question in the usual prompt, which asks for [n] citations and for
  "I don't know" where the passages do not hold the answer; what it writes is taken at its word.
  Its confidence is the mean log probability of its tokens.
- `whimbrel`: the product, with its defaults.
- `quotes`: the product without a generator.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from retrieval.answering.answerer import Answerer
from retrieval.answering.decline_filter import declines
from retrieval.answering.prompt import build_prompt
from retrieval.commands import progress_bar
from retrieval.evaluation.dataset import Dataset, ReferenceAnswer, read_dataset
from retrieval.evaluation.evaluate import (
    EvaluatedAnswer,
    ScoreRow,
    build_library,
    reply,
    spread,
    summarise,
)
from retrieval.evaluation.report import table
from retrieval.index.library import Library
from retrieval.language import language_of
from retrieval.llm.generator import Generator
from retrieval.records import Answer, AnswerRequest, Citation
from retrieval.search.embedding import Embedder
from retrieval.serving.model_loader import load_answerer
from retrieval.settings import Settings, load_settings
from training.classifiers.judge_fit import is_held_out

INSTRUCTION = {
    "en": (
        "Answer the question using only the passages. Cite the passages you use as [1], [2]. "
        "If the passages do not contain the answer, say: I don't know."
    ),
    "zh": (
        "只根据段落回答问题，并用 [1]、[2] 标出所用的段落。如果段落中没有答案，请回答：我不知道。"
    ),
}
_CITED = re.compile(r"\[(\d+)\]")
_UNKNOWING = re.compile(r"\bdon'?t know\b|\bdo not know\b|不知道", re.IGNORECASE)


class BareModel:
    """Retrieval and a prompt, as tutorials have it."""

    def __init__(self, library: Library, generator: Generator, settings: Settings) -> None:
        self._library = library
        self._generator = generator
        self._settings = settings

    def answer(self, request: AnswerRequest) -> Answer:
        """What the model says, taken at its word."""
        question, language = request.text, language_of(request.text)
        hits = self._library.searcher().search(question, k=self._settings.hits)
        prompt = build_prompt(
            question,
            hits,
            language=language,
            count_tokens=self._generator.count_tokens,
            max_tokens=self._settings.prompt_tokens,
        )
        instruction = INSTRUCTION.get(language, INSTRUCTION["en"])
        completion = self._generator.generate(
            [("system", instruction), ("user", prompt.user)],
            max_tokens=self._settings.answer_tokens,
        )
        numbers = dict.fromkeys(int(n) for n in _CITED.findall(completion.text))
        has_declined = bool(_UNKNOWING.search(completion.text)) or declines(completion.text)
        return Answer(
            id="",
            question=question,
            query=question,
            kind="abstention" if has_declined else "answer",
            text=completion.text,
            language=language,
            confidence=0.0 if has_declined else math.exp(completion.mean_logprob),
            citations=tuple(
                Citation(n, prompt.passages[n - 1], "", 0.0)
                for n in numbers
                if 0 < n <= len(prompt.passages)
            ),
            timings={"total": completion.total_s},
        )


def main() -> None:
    """Print one table: a line for each set, language, generator and way of using it."""
    arguments = parse_arguments()
    settings = load_settings()
    quoting = settings.model_copy(update={"generator": "none"})
    embedder = Embedder.load(settings)
    rows: list[ScoreRow] = []
    for folder in arguments.folders:
        dataset = read_dataset(folder)
        with progress_bar() as on_progress:
            library = build_library(dataset, settings, embedder, on_progress)
        held_out = [reference for reference in dataset.answers if is_held_out(reference.id)]
        asked = spread(held_out, arguments.questions)
        rows += ask(load_answerer(quoting, library=library), "quotes", dataset, asked)
        for name in arguments.generator or [settings.generator]:
            own = settings.model_copy(update={"generator": name})
            answerer = load_answerer(own, library=library)
            assert answerer.generator is not None
            bare = BareModel(library, answerer.generator, own)
            rows += ask(bare, f"bare {name}", dataset, asked)
            rows += ask(answerer, f"whimbrel {name}", dataset, asked)
            answerer.generator.close()
        click.echo(f"\n{table(rows)}")


def ask(
    answerer: Answerer | BareModel,
    name: str,
    dataset: Dataset,
    asked: Sequence[ReferenceAnswer],
) -> list[ScoreRow]:
    """The rows of one way of answering."""
    with progress_bar() as on_progress:
        replies: list[EvaluatedAnswer] = reply(asked, answerer.answer, on_progress)
    return [replace(row, data=f"{row.data}: {name}") for row in summarise(dataset, [], replies)]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--generator", action="append", metavar="NAME", help="may be repeated")
    parser.add_argument("--questions", type=int, default=100, help="at most so many of a set")
    return parser.parse_args()


if __name__ == "__main__":
    main()
