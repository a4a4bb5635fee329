"""What Whimbrel costs beside its models: the start of the program, and the rest of an answer.

    python -m benchmarks.overhead [--questions N]

The questions are those of examples/questions.jsonl that examples/handbook answers, evenly spread.
Each is answered twice, by the configured generator and by quoting; medians are shown. What counts
as inside a model is embedding the query, embedding the sentences that may be quoted, and
generating without what is done with each piece of text; logging the turn counts as outside.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

from bot.store.database import Database
from bot.store.log import ConversationLog, Turn
from retrieval.answering.answerer import Answerer
from retrieval.answering.judge import load_judge
from retrieval.evaluation.evaluate import spread
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.jsonl import read_rows
from retrieval.llm.generator import Generator, load_generator
from retrieval.records import PUBLIC, Answer, AnswerRequest, Completion, Vectors
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings

T = TypeVar("T")

EXAMPLES = Path(__file__).parent.parent / "examples"
STARTS = 5
START_TARGET_S = 0.5
SHARE_TARGET = 0.05


class Stopwatch:
    """Seconds that were spent inside a model, as a clock says."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = 0.0
        self._clock = clock

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of what is done inside."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds += self._clock() - began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the time of what is done inside off again."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds -= self._clock() - began


class TimedEmbedder(Embedder):
    """The product's embedder, with a watch on it."""

    watch = Stopwatch()

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """Embed passages, on the watch."""
        with self.watch.running():
            return super().embed_passages(texts, on_batch=on_batch)

    def embed_query(self, text: str) -> Vectors:
        """Embed a query, on the watch."""
        with self.watch.running():
            return super().embed_query(text)


class TimedGenerator:
    """A generator with a watch on it; what is done with each piece of text does not count."""

    def __init__(self, generator: Generator, watch: Stopwatch) -> None:
        self.id, self.parameters = generator.id, generator.parameters
        self.kind, self.context_tokens = generator.kind, generator.context_tokens
        self.count_tokens, self.close = generator.count_tokens, generator.close
        self._generate = generator.generate
        self._watch = watch

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """Generate, on the watch except while `on_text` runs."""

        def show(piece: str) -> None:
            with self._watch.paused():
                if on_text is not None:
                    on_text(piece)

        with self._watch.running():
            return self._generate(
                messages, max_tokens=max_tokens, on_text=show, should_stop=should_stop, end=end
            )


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one answer: in all, inside a model, and to log it."""

    total: float
    model: float
    log: float

    @property
    def share(self) -> float:
        """What is not spent inside a model, 0 to 1."""
        return (self.total + self.log - self.model) / (self.total + self.log)


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    bare = start_seconds([sys.executable, "-c", "pass"])
    whole = start_seconds([str(Path(sys.executable).with_name("whimbrel")), "--help"])
    print(f"python -c pass     {bare:.2f} s (median of {STARTS})")
    print(f"whimbrel --help    {whole:.2f} s; wanted under {START_TARGET_S} s\n")
    with TemporaryDirectory() as temporary:
        measure_answers(Path(temporary), arguments.questions)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=8)
    return parser.parse_args()


def start_seconds(command: Sequence[str]) -> float:
    """Median seconds of a command as a fresh process."""
    return median(
        timed(lambda: subprocess.run(command, check=True, capture_output=True))[1]  # noqa: S603 - our own program
        for _ in range(STARTS)
    )


def measure_answers(folder: Path, count: int) -> None:
    """Print a line for each way of answering."""
    settings = load_settings()
    # The models stay where they are unpacked; only the index is new.
    own = settings.model_copy(update={"home": folder})
    embedder = TimedEmbedder.load(settings)
    update_index([EXAMPLES / "handbook"], own, embedder)
    searcher = Library(own, embedder).searcher()
    judge = load_judge(settings.models_folder, embedder)
    questions = spread(answerable(), count)
    database = Database(folder / "log.db")
    log = ConversationLog(database)
    print(f"{len(questions)} questions, {searcher.index.manifest.passages} passages:")
    print(f"{'generator':<38}{'whole':>9}{'outside':>10}{'logging':>10}{'share':>8}")
    for generator in load_generators(settings, embedder.watch):
        answerer = Answerer(searcher, judge, settings, generator)
        answerer.answer(AnswerRequest(questions[0]))
        costs = [cost(question, answerer, embedder.watch, log) for question in questions]
        show(generator.id if generator else "none: quotes", costs)
    print(f"wanted: a share under {SHARE_TARGET:.0%}")
    database.close()


def load_generators(settings: Settings, watch: Stopwatch) -> Iterator[Generator | None]:
    """None, which quotes, and then the configured generator, if there is one."""
    yield None
    if settings.generator != "none":
        generator = load_generator(settings)
        yield TimedGenerator(generator, watch)
        generator.close()


def answerable() -> list[str]:
    """The example questions that the example documents answer."""
    rows = read_rows(EXAMPLES / "questions.jsonl", dict)
    return [row["question"] for row in rows if not row["unanswerable"]]


def cost(question: str, answerer: Answerer, watch: Stopwatch, log: ConversationLog) -> Cost:
    """What one answer costs, shown piece by piece as in Slack."""
    before = watch.seconds
    request = AnswerRequest(question)
    answer, total = timed(lambda: answerer.answer(request, on_text=lambda _: None))
    _, logging = timed(lambda: log.add(turn(answer)))
    return Cost(total, watch.seconds - before, logging)


def turn(answer: Answer) -> Turn:
    """The answer as a turn of a conversation."""
    now = datetime.now(UTC).isoformat()
    return Turn(answer, answer.id, "T", "C", "1.0", "U", frozenset({PUBLIC}), (answer.id,), now)


def show(generator: str, costs: Sequence[Cost]) -> None:
    """Print a line: medians over the questions, in milliseconds."""
    whole, outside, logging = (
        1000 * median(values)
        for values in zip(
            *((cost.total + cost.log, cost.total - cost.model, cost.log) for cost in costs),
            strict=True,
        )
    )
    share = median(cost.share for cost in costs)
    print(f"{generator:<38}{whole:>6.0f} ms{outside:>7.1f} ms{logging:>7.1f} ms{share:>8.1%}")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work returns and how many seconds it takes."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


if __name__ == "__main__":
    main()
