"""From a data set to a generator with a learned adapter: taught, tried, and kept as a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.answering.answerer import Answerer
from retrieval.errors import DataError, SettingsError
from retrieval.examples import read_examples
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import load_generator, load_model
from retrieval.models.catalogue import ModelFolder, resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.progress import Tell
from retrieval.registry.runs import Facts, Run, checkpoints, folder_of, write_run
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings
from training.extra import need
from training.gate import report
from training.gate.candidate import LearnedRun
from training.gate.decision import GateDecision, QuestionOutcome, decide
from training.generator.hyperparameters import search_ways
from training.generator.rows import Layout, Method, fitting
from training.generator.trainers import AdapterConfig, TrainingStage
from training.generator.trial import EvaluationSet, read_exam, take
from training.generator.tuning import StageResult, learn, with_adapter
from training.hyperparameters import Found
from training.trainer import is_helper

if TYPE_CHECKING:
    from peft import PeftModel

MIN_ROWS = {"sft": 300, "dpo": 200, "kto": 500}
"""Fewer rows than this teach a generator to overdo whatever they happen to show."""

MIN_OF_EACH_VOTE = 100

MARKUP_TOKENS = 64
"""What a chat format adds to a prompt, at most."""


def learn_adapter(
    dataset: Path,
    settings: Settings,
    library: Library,
    *,
    method: Method = "sft",
    seed: int = 0,
    config: AdapterConfig | None = None,
    trials: int = 0,
    min_rows: int | None = None,
    max_minutes: float | None = None,
    on_progress: Tell = lambda _: None,
) -> LearnedRun | None:
    """Teach the configured generator what a data set says, and try it on what that holds out.

    It always learns from the configured model, never on top of an earlier run. Preferences and
    votes are learned on top of the data set's answers. What was broken off goes on from its last
    checkpoint when it is called again with the same arguments.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        library: What answers are made from.
        method: `sft` for answers, `dpo` for answers and then preferences, `kto` for answers and
            then votes.
        seed: The same seed and data set give the same run on the same machine.
        config: How to learn.
        trials: How many other ways to learn answers are tried before, on those of dev.jsonl.
        min_rows: How many rows the method needs; None for `MIN_ROWS`.
        max_minutes: Stop learning after so long, with what is learned until then.
        on_progress: Is told what is being done.

    Returns:
        The run and what the gate says of it; None in processes that only helped.

    Raises:
        DataError: If the data set holds too few examples; the message says how many are missing.
        ExtraMissingError: If what it needs is not installed.
        ModelUnsuitableError: If the model cannot learn by this method.
        SettingsError: If there is no generator.
        IndexNotFoundError: If nothing has been published.
    """
    need("accelerate", "datasets", "peft", "trl")
    if settings.generator == "none":
        raise SettingsError("WHIMBREL_GENERATOR is `none`: set it to a model that can be taught")
    config = config or AdapterConfig()
    searcher = library.searcher()  # the same documents from beginning to end
    exam = read_exam(dataset, settings, searcher)
    base = resolve(settings.generator, models_folder=settings.models_folder)
    found = None
    if trials:
        found = _searched(
            dataset, settings, searcher, base, config, trials=trials, seed=seed,
            on_progress=on_progress,
        )  # fmt: skip
        config = found.config
    facts = Facts(
        base=base.id,
        dataset=dataset.name,
        seed=seed,
        code=version("whimbrel"),
        config={"method": method, **asdict(config)},
    )
    stages = lay_out(dataset, settings, searcher, base, method=method, seed=seed, least=min_rows)
    work = checkpoints(settings.runs_folder, facts)
    pupil = AdapterTrainer(base, facts, config, work, found)
    run = pupil.learn(settings, stages, max_minutes=max_minutes, on_progress=on_progress)
    if run is None:
        return None
    decision = _judged(run, exam, settings, searcher, on_progress)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"generator {run.id}")
    shutil.rmtree(work)
    return LearnedRun(run, decision)


def _searched(
    dataset: Path,
    settings: Settings,
    searcher: Searcher,
    base: ModelFolder,
    config: AdapterConfig,
    *,
    trials: int,
    seed: int,
    on_progress: Tell,
) -> Found[AdapterConfig]:
    """The way to learn the answers of train.jsonl that makes those of dev.jsonl most likely."""
    layout = Layout(load_chat_format(base.path), searcher, settings, seed=seed)
    most = settings.prompt_tokens + MARKUP_TOKENS + settings.answer_tokens
    taught, held_back = (
        fitting(layout.answers(read_examples(dataset, split)), max_tokens=most)
        for split in ("train", "dev")
    )
    device = choose_device(settings)
    use_threads(device)
    return search_ways(
        base.path, taught, held_back, start=config, trials=trials, device=device, seed=seed,
        on_progress=on_progress,
    )  # fmt: skip


def lay_out(
    dataset: Path,
    settings: Settings,
    searcher: Searcher,
    base: ModelFolder,
    *,
    method: Method,
    seed: int,
    least: int | None = None,
) -> list[TrainingStage]:
    """What a data set teaches by a method, stage by stage, in the tokens of the model `base`.

    Raises:
        DataError: If there is too little of it, or too much is too long.
    """
    examples = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]
    layout = Layout(load_chat_format(base.path), searcher, settings, seed=seed)
    most = settings.prompt_tokens + MARKUP_TOKENS + settings.answer_tokens
    answers = TrainingStage("sft", fitting(layout.answers(examples), max_tokens=most))
    needed = MIN_ROWS[method] if least is None else least
    if method == "sft":
        _check(answers, needed, dataset)
        return [answers]
    some = layout.preferences(examples) if method == "dpo" else layout.votes(examples)
    last = TrainingStage(method, fitting(some, max_tokens=most))
    _check(last, needed, dataset)
    return [answers, last] if answers.rows else [last]


def _check(stage: TrainingStage, needed: int, dataset: Path) -> None:
    found = len(stage.rows)
    if found < needed:
        raise DataError(
            f"{dataset} gives {found} rows to learn by {stage.method}; it needs {needed}, "
            f"{needed - found} more"
        )
    good = sum(row.is_good for row in stage.rows)
    least = min(MIN_OF_EACH_VOTE, needed // 4)
    if stage.method == "kto" and min(good, found - good) < least:
        raise DataError(
            f"{dataset} holds {good} answers that people liked and {found - good} that they "
            f"disliked; kto needs {least} of each"
        )


@dataclass(frozen=True)
class AdapterTrainer:
    """A model that is about to learn, and where it keeps what it knows so far."""

    base: ModelFolder
    facts: Facts
    config: AdapterConfig
    work: Path
    found: Found[AdapterConfig] | None = None

    def learn(
        self,
        settings: Settings,
        stages: Sequence[TrainingStage],
        *,
        max_minutes: float | None,
        on_progress: Tell,
    ) -> Run | None:
        """The run that comes of it; None in processes that only helped. Frees the model."""
        device = choose_device(settings)
        use_threads(device)
        wording = load_chat_format(self.base.path)
        # The trainer moves it: of several GPUs, each process has one of its own.
        base = load_model(self.base.path, replace(device, name="cpu"), wording.kind)
        model = with_adapter(base, self.config, seed=self.facts.seed)
        for stage in stages:
            tokens = sum(row.tokens for row in stage.rows)
            on_progress(f"{stage.method}: {len(stage.rows)} rows, {tokens:,} tokens")
        courses = learn(
            model,
            wording,
            stages,
            device=device,
            work=self.work,
            config=self.config,
            seed=self.facts.seed,
            max_minutes=max_minutes,
            on_progress=on_progress,
        )
        if is_helper():
            return None
        metrics = {f"{stage.method}_rows": float(len(stage.rows)) for stage in stages}
        for course in courses:
            metrics |= course.figures()
        return write_run(
            settings.runs_folder,
            "generator",
            replace(self.facts, metrics=metrics),
            lambda folder: self._save(folder, model, courses),
        )

    def _save(self, folder: Path, model: PeftModel, courses: Sequence[StageResult]) -> None:
        _save(folder, model, self.base, courses)
        if self.found:
            self.found.save(folder)


def _save(
    folder: Path, model: PeftModel, base: ModelFolder, courses: Sequence[StageResult]
) -> None:
    model.peft_config["default"].base_model_name_or_path = base.id  # not a path on this machine
    model.save_pretrained(str(folder), selected_adapters=["default"], save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # an empty form; the run has a card of its own
    losses = {course.method: list(course.losses) for course in courses}
    (folder / "losses.json").write_text(json.dumps(losses) + "\n", encoding="utf-8")
    draw_losses(folder / "losses.png", courses)


def draw_losses(path: Path, courses: Sequence[StageResult]) -> None:
    """Draw the loss of every stage by step, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(courses), 3), layout="constrained")
    for axes, course in zip(
        figure.subplots(1, len(courses), squeeze=False)[0], courses, strict=True
    ):
        axes.plot(range(1, len(course.losses) + 1), course.losses, linewidth=0.8)
        axes.set_title(course.method)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
    figure.savefig(path, dpi=120)


def _judged(
    run: Run, exam: EvaluationSet, settings: Settings, searcher: Searcher, on_progress: Tell
) -> GateDecision:
    on_progress(f"trying what serves on {len(exam.held_out)} questions held out")
    served = _examined(None, exam, settings, searcher)
    on_progress("trying the candidate on the same")
    (decision,) = decide(served, [_examined(run, exam, settings, searcher)], outdated=exam.outdated)
    return decision


def _examined(
    run: Run | None, exam: EvaluationSet, settings: Settings, searcher: Searcher
) -> list[QuestionOutcome]:
    """What the bot makes of an exam with a run, or with what serves."""
    judge = InstalledModels(settings).judge(searcher.embedder.id)
    generator = load_generator(settings, run=run)
    try:
        return take(Answerer(searcher, judge, settings, generator), exam)
    finally:
        generator.close()
