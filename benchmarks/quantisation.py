"""Answers of the generator in 8-bit integers beside those in its own precision.

    python -m benchmarks.quantisation [--questions N]

The questions are those of examples/questions.jsonl that examples/handbook answers, evenly spread,
each in the usual prompt. An answer holds the fact if one of the accepted texts stands in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedModel

from retrieval.answering.prompt import build_prompt
from retrieval.evaluation.evaluate import spread
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.jsonl import read_rows
from retrieval.language import language_of
from retrieval.llm.batching import Batcher
from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import (
    Generator,
    LocalGenerator,
    load_generator,
    load_model,
)
from retrieval.llm.model_decoder import ModelDecoder
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings

EXAMPLES = Path(__file__).parent.parent / "examples"


Messages = list[tuple[str, str]]


def plain_generator(settings: Settings) -> LocalGenerator:
    """The generator as it is stored, with none of its layers replaced."""
    folder = resolve(settings.generator, models_folder=settings.models_folder)
    device = choose_device(settings)
    use_threads(device)
    chat_format = load_chat_format(folder.path)
    model = load_model(folder.path, device, "causal")

    def make_loop(model: PreTrainedModel, stop_ids: frozenset[int]) -> Batcher:
        return Batcher(ModelDecoder(model, device.dtype), stop_ids=stop_ids)

    return LocalGenerator.of(folder.id, model, chat_format, make_loop)


def prompts(
    questions: Sequence[dict[str, Any]], settings: Settings, count_tokens: Callable[[str], int]
) -> list[Messages]:
    """What the generator would be asked, with the passages that search finds."""
    embedder = Embedder.load(settings)
    with TemporaryDirectory() as home:
        own = settings.model_copy(update={"home": Path(home)})
        update_index([EXAMPLES / "handbook"], settings=own, embedder=embedder)
        searcher = Library(own, embedder).searcher()
        return [messages(row["question"], searcher, settings, count_tokens) for row in questions]


def messages(
    question: str, searcher: Searcher, settings: Settings, count_tokens: Callable[[str], int]
) -> Messages:
    """The prompt of one question."""
    prompt = build_prompt(
        question,
        searcher.search(question, k=settings.hits),
        language=language_of(question),
        count_tokens=count_tokens,
        max_tokens=settings.prompt_tokens,
    )
    return [("system", prompt.system), ("user", prompt.user)]


def answers(generator: Generator, asked: Sequence[Messages], max_tokens: int) -> list[str]:
    """What the generator writes, eight prompts at a time."""
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda p: generator.generate(p, max_tokens=max_tokens).text, asked))
    print(f"{len(asked)} answers: {time.perf_counter() - began:.0f} s", flush=True)
    return written


def holds_fact(text: str, accepted: Sequence[str]) -> bool:
    """Whether one of the accepted answers stands in the text."""
    return any(answer.casefold() in text.casefold() for answer in accepted)


def main() -> None:
    """Ask both and print how many answers hold the fact."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--questions", type=int)
    options, settings = parser.parse_args(), load_settings()
    rows = read_rows(EXAMPLES / "questions.jsonl", dict)
    answerable = [row for row in rows if not row["unanswerable"]]
    questions = spread(answerable, options.questions)
    generator = load_generator(settings)
    asked = prompts(questions, settings, generator.count_tokens)
    written = {"int8": answers(generator, asked, settings.answer_tokens)}
    generator.close()
    plain = plain_generator(settings)
    written["plain"] = answers(plain, asked, settings.answer_tokens)
    plain.close()
    for name, texts in written.items():
        held = [
            holds_fact(text, row["answers"]) for row, text in zip(questions, texts, strict=True)
        ]
        print(f"{name}: {sum(held)} of {len(held)} answers hold the fact")
    same = sum(a == b for a, b in zip(*written.values(), strict=True))
    print(f"word for word the same: {same} of {len(questions)}")


if __name__ == "__main__":
    main()
