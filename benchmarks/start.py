"""CPU-seconds of `whimbrel search` and `whimbrel ask` from start to end, beside importing torch.

    python -m benchmarks.start [--repeat N]

Each runs as a program of its own over examples/handbook, its models unpacked and read from the
disk before. They take turns; the table holds the median turn of each, of all its threads. What it
takes to read the prompt and write the answer is measured here and taken off: what is left is
starting, loading and searching.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.overhead import EXAMPLES, Stopwatch, TimedGenerator
from retrieval.cli import PROGRAM
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.served_embedder import load_embedder
from retrieval.records import AnswerRequest
from retrieval.serving.model_loader import load_answerer
from retrieval.settings import Settings, load_settings

TARGET_S = 3.0

QUOTED = "What are the steps after a security incident?"
WRITTEN = "How many days of annual leave do I get?"
UNANSWERED = "Who won the football world cup in 1990?"

COMMANDS = {
    "import torch": (sys.executable, "-c", "import torch"),
    "search": (*PROGRAM, "search", WRITTEN),
    "ask, not answered": (*PROGRAM, "ask", UNANSWERED),
    "ask, quoted": (*PROGRAM, "ask", QUOTED),
    "ask, written": (*PROGRAM, "ask", WRITTEN),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with TemporaryDirectory() as temporary:
        settings = load_settings()
        (home := Path(temporary)).joinpath("models").symlink_to(settings.models_folder.resolve())
        generation = prepare(settings.model_copy(update={"home": home}))
        turns = [
            {name: cpu_seconds(command, home) for name, command in COMMANDS.items()}
            for _ in range(repeat + 1)
        ][1:]  # the first turn reads from the disk
    print(f"{'':<20}{'CPU-seconds':>12}{'generating':>12}{'the rest':>10}")
    for name in COMMANDS:
        whole = median(turn[name] for turn in turns)
        own = generation if name == "ask, written" else 0.0
        print(f"{name:<20}{whole:>12.2f}{own:>12.2f}{whole - own:>10.2f}")
    print(f"wanted: a rest of at most {TARGET_S:.1f}")


def prepare(settings: Settings) -> float:
    """Index the example documents; the CPU-seconds that the generator needs for its answer."""
    embedder = load_embedder(settings)
    update_index([EXAMPLES / "handbook"], settings, embedder)
    answerer = load_answerer(settings, library=Library.load(settings, embedder))
    assert answerer.generator is not None, "WHIMBREL_GENERATOR=none writes nothing"
    watch = Stopwatch(time.process_time)
    answerer = replace(answerer, generator=TimedGenerator(answerer.generator, watch))
    found = {
        question: answerer.answer(AnswerRequest(question)).method
        for question in (QUOTED, UNANSWERED, WRITTEN)
    }
    assert found == {QUOTED: "extracted", UNANSWERED: "none", WRITTEN: "generated"}, found
    return watch.seconds


def cpu_seconds(command: Sequence[str], home: Path) -> float:
    """What a child takes of the processor, with its own children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"WHIMBREL_HOME": str(home)}
    subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
