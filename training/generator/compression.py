"""Makes the generator that serves smaller, keeps it as a run, and tells what that keeps and gains.

What a run holds is a whole model, which takes the place of the configured one when it is published.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from retrieval.errors import DataError, ModelUnsuitableError, SettingsError
from retrieval.index.library import Library
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.llm.generator import (
    context_of,
    fitting_run,
    load_learned,
    load_model,
    make_loop,
    weights_of,
)
from retrieval.models.catalogue import ModelFolder, resolve
from retrieval.models.device import Device, choose_device, use_threads
from retrieval.models.endpoint import is_endpoint
from retrieval.progress import Tell
from retrieval.registry.runs import MODEL, Facts, Run, folder_of, write_run
from retrieval.settings import Settings
from training.extra import need
from training.gate import report
from training.gate.decision import SILENT, SPOKEN, GateDecision
from training.generator.learned_adapter import judged
from training.generator.trial import read_evaluation_set

if TYPE_CHECKING:
    from retrieval.llm.generation_loop import GenerationLoop

Bits = Literal[8, 4]

PROMPT_TOKENS, WRITTEN_TOKENS = 512, 32
"""What a generator reads and writes to find out how fast it is."""

TABLE = "compression"
"""The name of the files that tell what was kept and gained."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The generator that serves: the configured model, with what a run has made of it."""

    settings: Settings
    folder: ModelFolder
    run: Run | None

    @property
    def id(self) -> str:
        """As an answer's card names it."""
        return self.folder.id if self.run is None else f"{self.folder.id}+{self.run.id}"

    @property
    def path(self) -> Path:
        """The folder of the whole model that is loaded."""
        return weights_of(self.folder, self.run, self.settings)

    def chat_format(self) -> ChatFormat:
        """How it reads."""
        return load_chat_format(self.path)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a generator takes where it runs.

    Sizes are of its weights as files, and of a process that has loaded it and answered (of the
    GPU's memory, on one), in MB. Speeds are in tokens a second: on processors, of their own time.
    """

    disk_mb: float
    memory_mb: float
    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class SmallerRun:
    """A new run, what the gate says of it, and what it takes beside what serves."""

    run: Run
    decision: GateDecision
    served: Footprint
    candidate: Footprint


def quantise(
    dataset: Path, settings: Settings, library: Library, *, bits: Bits, on_progress: Tell
) -> SmallerRun:
    """Store the generator that serves in 8 bits a weight, or in 4.

    The former is LLM.int8() (Dettmers et al. 2022), the latter NF4 (Dettmers et al. 2023), both by
    bitsandbytes. Nothing is learned from the data set; it judges.

    Raises:
        DataError: If the data set holds no questions out.
        ExtraMissingError: If what it needs is not installed.
        ModelUnsuitableError: If the model is quantised already.
        SettingsError: If there is no generator on this machine.
        IndexNotFoundError: If nothing has been published.
    """
    need("accelerate", "bitsandbytes", extra="quantised")
    served = served_model(settings, on_progress)
    config = {"method": "quantise", "bits": bits}

    def fill(folder: Path) -> None:
        on_progress(f"quantising {served.id} to {bits} bits")
        store(served, bits, folder / MODEL)

    return keep(served, dataset, library, config, fill, seed=0, on_progress=on_progress)


def served_model(settings: Settings, on_progress: Tell) -> ServedModel:
    """The generator that serves.

    Raises:
        ModelUnsuitableError: If it is quantised.
        SettingsError: If there is none on this machine.
    """
    if settings.generator == "none" or is_endpoint(settings.generator):
        raise SettingsError(
            "only a generator on this machine can be made smaller, and WHIMBREL_GENERATOR names "
            "none; what an endpoint serves is made smaller where it is served"
        )
    from transformers import AutoConfig

    from retrieval.llm.quantised import is_quantised

    folder = resolve(
        settings.generator, models_folder=settings.models_folder, on_progress=on_progress
    )
    served = ServedModel(settings, folder, fitting_run(folder, None, settings, on_progress))
    if is_quantised(AutoConfig.from_pretrained(served.path)):
        raise ModelUnsuitableError(
            f"{served.id} is quantised; `whimbrel publish base --kind generator` lets the model "
            "serve that it was made of"
        )
    return served


def store(served: ServedModel, bits: Bits, target: Path) -> None:
    """Store the model that serves in so many bits a weight, as a folder of its own."""
    import torch
    from transformers import AutoConfig, BitsAndBytesConfig

    dtype = AutoConfig.from_pretrained(served.path).dtype or torch.bfloat16
    how = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_8bit=bits == 8,
        load_in_4bit=bits == 4,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    chat_format = served.chat_format()
    plain = Device("cpu", dtype, 1)
    with TemporaryDirectory(dir=target.parent) as folder:
        # It is quantised as it is loaded, so what was learned has to be a model's file first.
        load_learned(served.folder, served.run, served.settings, plain).save_pretrained(folder)
        model = load_model(Path(folder), plain, chat_format.kind, quantisation=how)
        model.save_pretrained(target)
    chat_format.tokenizer.save_pretrained(target)


def keep(
    served: ServedModel,
    dataset: Path,
    library: Library,
    config: Mapping[str, Any],
    fill: Callable[[Path], None],
    *,
    seed: int,
    on_progress: Tell,
) -> SmallerRun:
    """Keep what `fill` makes of what serves as a run, judged, and measured beside that.

    Raises:
        DataError: If the data set holds no questions out.
        IndexNotFoundError: If nothing has been published.
    """
    settings, searcher = served.settings, library.searcher()
    evaluation_set = read_evaluation_set(dataset, settings, searcher)
    facts = Facts(served.id, dataset.name, seed, version("whimbrel"), config)
    run = write_run(settings.runs_folder, "generator", facts, fill)
    folder = folder_of(settings.runs_folder, run)
    decision = judged(run, evaluation_set, settings, searcher, on_progress, wanted="as good")
    report.save(folder, decision, title=f"generator {run.id}")
    on_progress("measuring what both take")
    smaller = SmallerRun(
        run, decision, measured(served.folder, served.run, settings),
        measured(served.folder, run, settings),
    )  # fmt: skip
    save(folder, smaller)
    return smaller


def measured(folder: ModelFolder, run: Run | None, settings: Settings) -> Footprint:
    """What a generator takes, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(footprint, folder, run, settings).result()


def footprint(folder: ModelFolder, run: Run | None, settings: Settings) -> Footprint:
    """What a generator takes, in this process."""
    import torch

    device = choose_device(settings)
    use_threads(device)
    model = load_learned(folder, run, settings, device)
    tokens: int = model.config.get_text_config(decoder=True).vocab_size
    loop = make_loop(model, frozenset(), device=device)
    clock = time.process_time if device.name == "cpu" else time.perf_counter
    length, some = min(PROMPT_TOKENS, context_of(model) // 2), random.Random(0)
    for _ in range(2):  # the first time everything is slower
        prompt = [some.randrange(tokens) for _ in range(length)]
        began, *times = [clock(), *_moments(loop, prompt, clock)]
    on_gpu = device.name == "cuda"
    memory = torch.cuda.max_memory_allocated() if on_gpu else resident()
    loop.close()
    files = weights_of(folder, run, settings).glob("*.safetensors")
    return Footprint(
        sum(file.stat().st_size for file in files) / 1e6,
        memory / 1e6,
        length / (times[0] - began),
        (len(times) - 1) / (times[-1] - times[0]),
    )


def _moments(loop: GenerationLoop, prompt: list[int], clock: Callable[[], float]) -> list[float]:
    """When each token after a prompt was written."""
    from retrieval.llm.generation_loop import GenerationRequest

    request, moments = GenerationRequest(prompt, WRITTEN_TOKENS), []
    loop.submit(request)
    while (token := request.tokens.get()) is not None:
        if isinstance(token, Exception):
            raise token
        moments.append(clock())
    return moments


def resident() -> int:
    """The bytes of memory that this process has, or, where nobody says, the most that it had."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def compared(smaller: SmallerRun) -> Iterator[tuple[str, float, float]]:
    """What was kept and what was gained: each by name, of what serves and of what is smaller."""
    found = smaller.decision.comparison
    yield f"token F1 or right silence, {found.questions} questions", found.baseline, found.candidate
    for guard in smaller.decision.guards:
        if guard.name in (SILENT, SPOKEN):
            yield f"{guard.name}, {guard.questions} questions", guard.served, guard.candidate
    before, after = smaller.served, smaller.candidate
    yield "weights on the disk, MB", before.disk_mb, after.disk_mb
    yield "memory with all of the process, MB", before.memory_mb, after.memory_mb
    yield "reads, tokens a second", before.reads, after.reads
    yield "writes, tokens a second", before.writes, after.writes


def markdown(smaller: SmallerRun) -> str:
    """The comparison as a table in Markdown."""
    rows = [
        f"| {name} | {before:.3g} | {after:.3g} | {_times(before, after)} |"
        if before < 1
        else f"| {name} | {before:,.0f} | {after:,.0f} | {_times(before, after)} |"
        for name, before, after in compared(smaller)
    ]
    return "\n".join(["| | served | smaller | |", "|---|---|---|---|", *rows, ""])


def _times(before: float, after: float) -> str:
    return f"× {after / before:.2f}" if before else ""


def save(folder: Path, smaller: SmallerRun) -> None:
    """Write what was kept and gained beside a run, as a table, for machines and as a picture."""
    (folder / f"{TABLE}.md").write_text(markdown(smaller), encoding="utf-8")
    values = {"served": asdict(smaller.served), "candidate": asdict(smaller.candidate)}
    (folder / f"{TABLE}.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    draw(folder / f"{TABLE}.png", {smaller.run.id: smaller})


def load(folder: Path, run: Run) -> SmallerRun:
    """What `save` and the gate wrote beside a run.

    Raises:
        DataError: If nothing was.
    """
    decision = report.load(folder)
    try:
        values = json.loads((folder / f"{TABLE}.json").read_bytes())
        return SmallerRun(
            run, decision, Footprint(**values["served"]), Footprint(**values["candidate"])
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} does not say what it takes") from error


def draw(path: Path, runs: Mapping[str, SmallerRun]) -> None:
    """Draw what each run keeps and takes, as a share of what serves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + 1.6 * (0.6 + 0.2 * len(runs))), layout="constrained")
    axes = figure.subplots()
    names: list[str] = []
    for place, (label, smaller) in enumerate(runs.items()):
        rows = list(compared(smaller))
        names = [name for name, _, _ in rows]
        shares = [after / before if before else 0.0 for _, before, after in rows]
        height = 0.8 / len(runs)
        bars = axes.barh(
            [n + place * height for n in range(len(rows))], shares, height, label=label
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("share of what serves")
    axes.margins(x=0.08)  # room for the numbers
    figure.legend(loc="outside upper right", ncols=len(runs), fontsize=7)
    figure.savefig(path, dpi=120)
