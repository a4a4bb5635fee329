"""Time Whimbrel's generator against plain transformers and CTranslate2, in one run.

    python -m benchmarks.generation --repeat 3

Every engine continues the same random prompts, which have nothing in common, by exactly
`--answer-tokens` tokens. The engines take turns; the table holds the fastest turn of each, and the
processor's time beside the clock's, since other programs disturb the clock.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# As the program itself sets them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from retrieval.llm.generation_loop import GenerationLoop, GenerationRequest
from retrieval.llm.generator import load_model, make_loop
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.settings import load_settings

Engine = Callable[[list[int], int], Iterator[int]]
"""Prompt and answer length to the answer's tokens, one by one."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds to the first token, in all, and of the processor's time in all."""

    first: float
    total: float
    cpu: float


def whimbrel(loop: GenerationLoop) -> Engine:
    """Whimbrel's own engine, with no token that ends the text."""

    def run(prompt: list[int], count: int) -> Iterator[int]:
        request = GenerationRequest(prompt, count)
        loop.submit(request)
        while (token := request.tokens.get()) is not None:
            if isinstance(token, Exception):
                raise token
            yield token.id

    return run


def transformers(path: Path) -> Engine:
    """Greedy decoding by the model as transformers loads it, in bfloat16."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)

    def run(prompt: list[int], count: int) -> Iterator[int]:
        ids, cache = torch.tensor([prompt]), None
        for _ in range(count):
            with torch.inference_mode():
                output = model(ids, cache=cache, use_cache=True, logits_to_keep=1)
                ids, cache = output.logits[:, -1:].argmax(-1), output.cache
            yield int(ids)

    return run


def ctranslate2(path: Path, threads: int) -> Engine:
    """The same model converted to CTranslate2's 8-bit integers."""
    ct2 = importlib.import_module("ctranslate2")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    folder = tempfile.mkdtemp()
    ct2.converters.TransformersConverter(str(path)).convert(folder, quantization="int8", force=True)
    generator = ct2.Generator(folder, compute_type="int8", intra_threads=threads)

    def run(prompt: list[int], count: int) -> Iterator[int]:
        words = tokenizer.convert_ids_to_tokens(prompt)
        for step in generator.generate_tokens(words, max_length=count, end_token=[]):
            yield step.token_id

    return run


def timed(engine: Engine, prompt: list[int], count: int) -> Timing:
    """One prompt through one engine."""
    started, cpu = time.perf_counter(), time.process_time()
    tokens = engine(prompt, count)
    next(tokens)
    first = time.perf_counter() - started
    assert 1 + sum(1 for _ in tokens) == count
    return Timing(first, time.perf_counter() - started, time.process_time() - cpu)


def timed_together(engine: Engine, prompts: Sequence[list[int]], count: int) -> Timing:
    """All prompts at once; `first` is the last one's first token."""
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(prompts)) as pool:
        timings = list(pool.map(lambda prompt: timed(engine, prompt, count), prompts))
    first = max(timing.first for timing in timings)
    return Timing(first, time.perf_counter() - started, time.process_time() - cpu)


def best(timings: Sequence[Timing]) -> Timing:
    """The least of each number."""
    return Timing(
        min(t.first for t in timings), min(t.total for t in timings), min(t.cpu for t in timings)
    )


def row(name: str, timing: Timing, tokens: int, reference: Timing) -> str:
    """One line of the table; the ratios are against `reference`."""
    return (
        f"{name:<22}{timing.first:>9.2f}{timing.total:>9.2f}{timing.cpu:>9.2f}"
        f"{tokens / timing.total:>10.1f}{timing.first / reference.first:>10.2f}"
        f"{timing.total / reference.total:>10.2f}{timing.cpu / reference.cpu:>10.2f}"
    )


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", help="a folder, an embedded model's name or a hub id")
    parser.add_argument("--prompt-tokens", type=int, default=900)
    parser.add_argument("--answer-tokens", type=int, default=80)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--together", type=int, default=8, help="questions at once")
    return parser.parse_args()


def main() -> None:
    """Run and print the table."""
    options, settings = arguments(), load_settings()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    device = choose_device(settings)
    use_threads(device)
    name = options.model or settings.generator
    path = resolve(name, models_folder=settings.models_folder, on_progress=print).path
    model = load_model(path, device, "causal")
    loop = make_loop(model, frozenset(), device=device)
    engines = {"whimbrel": whimbrel(loop), "transformers bf16": transformers(path)}
    if importlib.util.find_spec("ctranslate2"):
        engines["CTranslate2 int8"] = ctranslate2(path, device.threads)
    else:
        print("CTranslate2 is not installed and is left out")
    shape = (options.prompt_tokens,)
    vocabulary = model.config.vocab_size

    def prompts(count: int) -> list[list[int]]:
        return [torch.randint(1000, vocabulary - 1000, shape).tolist() for _ in range(count)]

    alone: dict[str, list[Timing]] = {engine: [] for engine in engines}
    together = []
    for engine in engines.values():
        timed(engine, prompts(1)[0][:64], 4)
    for _ in range(options.repeat):
        (prompt,) = prompts(1)
        for engine_name, engine in engines.items():
            alone[engine_name].append(timed(engine, prompt, options.answer_tokens))
        several = prompts(options.together)
        together.append(timed_together(engines["whimbrel"], several, options.answer_tokens))
    loop.close()

    fastest = best(alone["whimbrel"])
    print(f"{options.prompt_tokens} + {options.answer_tokens} tokens, {device.threads} threads")
    print(
        f"{'':<22}{'first s':>9}{'total s':>9}{'cpu s':>9}{'tokens/s':>10}"
        f"{'x first':>10}{'x total':>10}{'x cpu':>10}"
    )
    for engine_name, timings in alone.items():
        print(row(engine_name, best(timings), options.answer_tokens, fastest))
    tokens = options.together * options.answer_tokens
    print(row(f"whimbrel, {options.together} at once", best(together), tokens, fastest))
    gain = options.together * fastest.total / best(together).total
    gain_cpu = options.together * fastest.cpu / best(together).cpu
    print(f"throughput of {options.together} at once: {gain:.2f} x one ({gain_cpu:.2f} x by cpu)")


if __name__ == "__main__":
    main()
