r"""Time Whimbrel's engine on processors against OpenVINO GenAI, on prompts of its own, in one run.

    python -m benchmarks.engines FOLDER… [--questions 10] [--repeat 2]

Needs `openvino-genai` beside Whimbrel. Each folder holds the default generator as OpenVINO reads
it. This writes one, in an environment of its own, for it wants older libraries; or `int4`:

    optimum-cli export openvino --model MODEL --task text-generation-with-past \
        --weight-format int8 FOLDER

The prompts are those of examples/questions.jsonl with eight passages. Before each stands a token
that none before began with, so that no engine has read any of it; `again` is the first token of
the same prompt once more. The engines take turns, and the fastest turn counts. `same` is how often
an engine goes on as the model does in bfloat16, after every token that this wrote, and `F1`
compares what both write by themselves. `pause` is how long other threads of Python stand still.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from statistics import mean
from typing import Any, NamedTuple

# As the program itself sets them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np

from benchmarks.generation import (
    Engine,
    Timing,
    best,
    timed,
    timed_together,
    transformers,
    whimbrel,
)
from benchmarks.quantisation import EXAMPLES, prompts
from retrieval.evaluation.evaluate import spread
from retrieval.evaluation.metrics import token_f1
from retrieval.jsonl import read_rows
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.llm.generator import load_model, make_loop
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.settings import load_settings

OWN = "whimbrel"

DYNAMIC_GROUP = 128
"""Activations that share a scale. OpenVINO's own 32 reads more slowly."""

PASSAGES = 8

STEP = 1024
"""Tokens that OpenVINO reads at once."""


class Footprint(NamedTuple):
    """What loading a model and answering once took and left, in seconds and MB."""

    load: float
    load_cpu: float
    resident: float
    anonymous: float


class OpenVINO:
    """An `Engine`: OpenVINO's continuous batching, moved on by a thread as `GenerationLoop` is."""

    def __init__(self, folder: Path, threads: int) -> None:
        genai = importlib.import_module("openvino_genai")
        self._tensor = importlib.import_module("openvino").Tensor
        self._config = genai.GenerationConfig
        scheduler = genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_batched_tokens = STEP
        properties = {
            "INFERENCE_NUM_THREADS": threads,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": DYNAMIC_GROUP,
        }
        self._pipeline = genai.ContinuousBatchingPipeline(folder, scheduler, "CPU", properties)
        self._arrived: SimpleQueue[tuple[list[int], int, SimpleQueue[int]]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def __call__(self, prompt: list[int], count: int) -> Iterator[int]:
        """The answer's tokens, one by one."""
        written: SimpleQueue[int] = SimpleQueue()
        self._arrived.put((prompt, count, written))
        for _ in range(count):
            yield written.get()

    def _run(self) -> None:
        running: list[tuple[Any, SimpleQueue[int]]] = []
        numbers = itertools.count()
        while True:
            while not running or not self._arrived.empty():
                prompt, count, written = self._arrived.get()
                config = self._config(max_new_tokens=count, ignore_eos=True, logprobs=1)
                ids = self._tensor(np.array([prompt], dtype=np.int64))
                running.append((self._pipeline.add_request(next(numbers), ids, config), written))
            self._pipeline.step()
            for handle, written in running:
                while handle.can_read():
                    for output in handle.read().values():
                        for token in output.generated_ids:
                            written.put(token)
            running = [text for text in running if text[0].get_status().name == "RUNNING"]


def load(name: str, path: Path) -> Engine:
    """Whimbrel's engine for the model in `path`, or OpenVINO's for the folder `name`."""
    device = choose_device(load_settings())
    use_threads(device)
    if name != OWN:
        return OpenVINO(Path(name), device.threads)
    return whimbrel(make_loop(load_model(path, device, "causal"), frozenset(), device=device))


def footprint(name: str, path: Path, prompt: list[int], count: int) -> Footprint:
    """What an engine adds to this process, which has imported Whimbrel's libraries."""
    before, started, cpu = memory(), time.perf_counter(), time.process_time()
    engine = load(name, path)
    took = time.perf_counter() - started, time.process_time() - cpu
    timed(engine, prompt, count)
    return Footprint(*took, *(after - then for after, then in zip(memory(), before, strict=True)))


def memory() -> tuple[float, float]:
    """Resident and anonymous memory of this process in MB; Linux only."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    sizes = {words[0]: int(words[1]) / 1024 for words in lines if words[-1] == "kB"}
    return sizes["VmRSS:"], sizes["RssAnon:"]


def alone(
    engines: dict[str, Engine], texts: Sequence[list[int]], count: int, repeat: int
) -> dict[tuple[str, str], Timing]:
    """The means over the texts, by engine and by `first`, `again` and `whole`."""
    heads = itertools.count(1000)
    turns: dict[tuple[str, str, int], list[Timing]] = defaultdict(list)
    for _ in range(repeat):
        for number, text in enumerate(texts):
            cold, other = [next(heads), *text], [next(heads), *text]
            for name, engine in engines.items():
                turns[name, "first", number].append(timed(engine, cold, 1))
                turns[name, "again", number].append(timed(engine, cold, 1))
                turns[name, "whole", number].append(timed(engine, other, count))
    fastest: dict[tuple[str, str], list[Timing]] = defaultdict(list)
    for (name, kind, _), timings in turns.items():
        fastest[name, kind].append(best(timings))
    return {
        key: Timing(*(mean(values) for values in zip(*map(astuple, timings), strict=True)))
        for key, timings in fastest.items()
    }


def together(
    engines: dict[str, Engine], texts: Sequence[list[int]], count: int, repeat: int
) -> dict[str, Timing]:
    """The fastest turn of each engine with all texts at once."""
    heads = itertools.count(20_000)
    turns: dict[str, list[Timing]] = defaultdict(list)
    for _ in range(repeat):
        fresh = [[next(heads), *text] for text in texts]
        for name, engine in engines.items():
            turns[name].append(timed_together(engine, fresh, count))
    return {name: best(timings) for name, timings in turns.items()}


def pause(engine: Engine, text: list[int]) -> float:
    """The longest time in seconds that another thread stood still while a prompt was read."""
    waits, is_done = [0.0], threading.Event()

    def watch() -> None:
        last = time.perf_counter()
        while not is_done.wait(0.001):
            waits.append(time.perf_counter() - last)
            last = time.perf_counter()

    watcher = threading.Thread(target=watch)
    watcher.start()
    timed(engine, [30_000, *text], 1)
    is_done.set()
    watcher.join()
    return max(waits)


def until(stop: int, tokens: list[int]) -> list[int]:
    """The tokens to the one that ends the text, with it."""
    return tokens[: tokens.index(stop) + 1] if stop in tokens else tokens


def agreement(
    engine: Engine,
    chat_format: ChatFormat,
    answers: Sequence[tuple[list[int], list[int]]],
    count: int,
) -> tuple[float, float]:
    """The share of the answers' tokens that the engine gives after those before, and token F1.

    `answers` holds each prompt with what is wanted.
    """
    same, scores = [], []
    for prompt, wanted in answers:
        for place, token in enumerate(wanted):
            same.append(next(engine([*prompt, *wanted[:place]], 1)) == token)
        own = until(chat_format.tokenizer.eos_token_id, list(engine(prompt, count)))
        scores.append(token_f1(chat_format.decode(own), chat_format.decode(wanted)))
    return mean(same), mean(scores)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", help="the default generator as OpenVINO reads it")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--answer-tokens", type=int, default=80)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--together", type=int, default=8, help="questions at once")
    return parser.parse_args()


def main() -> None:
    """Run and print the tables."""
    options, settings = arguments(), load_settings()
    path = resolve(settings.generator, models_folder=settings.models_folder).path
    chat_format = load_chat_format(path)
    rows = [row for row in read_rows(EXAMPLES / "questions.jsonl", dict) if not row["unanswerable"]]
    chats = prompts(
        spread(rows, options.questions),
        settings.model_copy(update={"hits": PASSAGES}),
        chat_format.count_tokens,
    )
    texts = [chat_format.read(chat_format.render(chat)) for chat in chats]
    count, names = options.answer_tokens, [OWN, *options.folders]
    print(f"{len(texts)} prompts of {min(map(len, texts))} to {max(map(len, texts))} tokens")

    print(f"{'':24}{'load s':>8}{'cpu s':>8}{'resident MB':>13}{'anonymous MB':>14}")
    for name in names:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
            print(
                f"{Path(name).name:24}{{:8.1f}}{{:8.1f}}{{:13.0f}}{{:14.0f}}".format(
                    *child.submit(footprint, name, path, texts[0], count).result()
                ),
                flush=True,
            )

    reference = transformers(path)
    stop = chat_format.tokenizer.eos_token_id
    answers = [(text, until(stop, list(reference(text, count)))) for text in texts]
    engines = {name: load(name, path) for name in names}
    timings = alone(engines, texts, count, options.repeat)
    several = together(engines, texts[: options.together], count, options.repeat)
    print(
        f"{'seconds, cpu-seconds':24}{'first':>14}{'again':>14}{count:>8} tokens"
        f"{options.together:>6} at once{'same':>8}{'F1':>7}{'pause':>7}"
    )
    for name, engine in engines.items():
        cells = [timings[name, kind] for kind in ("first", "again", "whole")] + [several[name]]
        same, score = agreement(engine, chat_format, answers, count)
        print(
            f"{Path(name).name:24}"
            + "".join(f"{timing.total:7.2f}{timing.cpu:7.2f}" for timing in cells)
            + f"{same:10.3f}{score:7.3f}{pause(engine, texts[0]):7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
