"""From a data set to a generator with a learned adapter: trained, tried, and kept as a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.answering.answerer import Answerer
from retrieval.errors import DataError, SettingsError
from retrieval.examples import Example, read_examples
from retrieval.index.library import Library
from retrieval.index.searcher import Searcher
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.llm.generator import load_generator, load_model
from retrieval.models.catalogue import ModelFolder, resolve
from retrieval.models.device import Device, choose_device, use_threads
from retrieval.progress import Tell
from retrieval.registry.runs import Facts, Run, checkpoints, folder_of, write_run
from retrieval.serving.model_loader import InstalledModels
from retrieval.settings import Settings
from training.curves import save_losses
from training.data.augmentation import Augmentation, noise_told
from training.extra import need
from training.gate import report
from training.gate.candidate import LearnedRun
from training.gate.decision import GateDecision, QuestionOutcome, Wanted, decide
from training.generator.hyperparameters import search_config
from training.generator.private import (
    PRIVATE,
    check_saved,
    learn_privately,
    plan,
    spent,
)
from training.generator.rows import (
    DECLINED_SHARE,
    WATCHED_SHARE,
    Method,
    RowLayout,
    TokenRow,
    fitting,
)
from training.generator.strength import MIN_PAIRS, MOST_PAIRS, SilencePair, settle
from training.generator.trainers import AdapterConfig, TrainingStage
from training.generator.trial import EvaluationSet, read_evaluation_set, try_answerer
from training.generator.tuning import StageResult, learn, with_adapter
from training.hyperparameters import Study
from training.trainer import LearnOptions, TrainerSetup, is_helper

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
    options: LearnOptions,
    *,
    method: Method = "sft",
    epsilon: float | None = None,
    config: AdapterConfig | None = None,
    min_rows: int | None = None,
) -> LearnedRun | None:
    """Train an adapter of the generator on a data set, and try it on what that holds out.

    It always learns from the configured model, never on top of an earlier run. Preferences and
    votes are learned on top of the data set's answers. What was broken off goes on from its last
    checkpoint when it is called again with the same arguments; with `epsilon` it begins again.

    Args:
        dataset: A folder in the format of `retrieval.examples`.
        settings: Where the index is, and where runs are kept.
        library: What answers are made from.
        options: What seeds it, how much it may do, and whom it tells.
        method: `sft` for answers, `dpo` for answers and then preferences, `kto` for answers and
            then votes.
        epsilon: Learn answers with so much differential privacy; None for none.
        config: How to learn.
        min_rows: How many rows the method needs; None for `MIN_ROWS`.

    Returns:
        The run and what the gate says of it; None in processes that only helped.

    Raises:
        DataError: If the data set holds too few examples; the message says how many are missing.
        ExtraMissingError: If what it needs is not installed.
        ModelUnsuitableError: If the model cannot learn by this method.
        SettingsError: If there is no generator, or something else of what is asked for would look
            at the answers and not be private.
        IndexNotFoundError: If nothing has been published.
    """
    need("accelerate", "datasets", "peft", "trl")
    if settings.generator == "none":
        raise SettingsError("WHIMBREL_GENERATOR is `none`: set it to a model that can be trained")
    if epsilon is not None:
        check_private(method, options)
        need("opacus", extra="privacy")
    config = config or (AdapterConfig() if epsilon is None else PRIVATE)
    searcher = library.searcher()  # the same documents from beginning to end
    evaluation_set = read_evaluation_set(dataset, settings, searcher)
    base = resolve(settings.generator, models_folder=settings.models_folder)
    study = None
    if options.trials:
        study = _searched(dataset, settings, searcher, base, config, options)
        config = study.config
    noise = None
    if options.augments:
        noise = Augmentation.of(searcher.index.passages, seed=options.seed)
    facts = Facts(
        base=base.id,
        dataset=dataset.name,
        seed=options.seed,
        code=version("whimbrel"),
        config={"method": method, **asdict(config), **noise_told(noise)},
    )
    # What is held back would choose without noise how much of what was learned is used.
    is_private = epsilon is not None
    pairs = [] if is_private else held_back(dataset, settings, searcher, base, seed=options.seed)
    stages = lay_out(
        dataset,
        settings,
        searcher,
        base,
        method=method,
        seed=options.seed,
        least=min_rows,
        is_watched=bool(pairs),
        is_private=is_private,
        noise=noise,
    )
    work = checkpoints(settings.runs_folder, facts)
    trainer = AdapterTrainer(base, facts, config, options.setup(work), study, pairs, epsilon)
    run = trainer.learn(settings, stages)
    if run is None:
        return None
    decision = judged(run, evaluation_set, settings, searcher, options.on_progress)
    report.save(folder_of(settings.runs_folder, run), decision, title=f"generator {run.id}")
    if epsilon is None:
        shutil.rmtree(work)
    return LearnedRun(run, decision)


def check_private(method: Method, options: LearnOptions) -> None:
    """Look whether what is learned in this way could be private.

    Raises:
        SettingsError: If it could not.
    """
    if method != "sft":
        raise SettingsError(f"--dp learns from answers alone; leave out --method {method}")
    if options.trials:
        raise SettingsError("--search tries answers without any noise; leave it out with --dp")
    if options.augments:
        raise SettingsError("--augment lets an answer count more than once; leave it out with --dp")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError("--dp learns in one process; start it without `accelerate launch`")


def _searched(
    dataset: Path,
    settings: Settings,
    searcher: Searcher,
    base: ModelFolder,
    config: AdapterConfig,
    options: LearnOptions,
) -> Study[AdapterConfig]:
    """The configuration that makes the answers of dev.jsonl likeliest, from train.jsonl."""
    layout = RowLayout(load_chat_format(base.path), searcher, settings, seed=options.seed)
    most = settings.prompt_tokens + MARKUP_TOKENS + settings.answer_tokens
    train, held_back = (
        fitting(layout.answers(read_examples(dataset, split)), max_tokens=most)
        for split in ("train", "dev")
    )
    device = choose_device(settings)
    use_threads(device)
    return search_config(base.path, train, held_back, options, start=config, device=device)


def lay_out(
    dataset: Path,
    settings: Settings,
    searcher: Searcher,
    base: ModelFolder,
    *,
    method: Method,
    seed: int,
    least: int | None = None,
    is_watched: bool = False,
    is_private: bool = False,
    noise: Augmentation | None = None,
) -> list[TrainingStage]:
    """The rows that a method learns from, stage by stage, in the tokens of the model `base`.

    It `is_watched` if dev.jsonl is held back to say how much of what was learned is used. If it
    `is_private`, each row depends on one answer alone. A noisy
    twin stands among what search finds for it, which are other passages than those that are found
    for its question. Twins do not count to what there must be at least.

    Raises:
        DataError: If there is too little of it, or too much is too long.
    """
    examples = read_examples(dataset, "train")
    if not is_watched:
        examples += read_examples(dataset, "dev")
    layout = RowLayout(
        load_chat_format(base.path),
        searcher,
        settings,
        seed=seed,
        declined_share=WATCHED_SHARE if is_watched else DECLINED_SHARE,
    )
    most = settings.prompt_tokens + MARKUP_TOKENS + settings.answer_tokens
    twins = noise.of_examples(examples) if noise else []
    needed = MIN_ROWS[method] if least is None else least

    def stage(name: Method, lay: Callable[[Sequence[Example]], list[TokenRow]]) -> TrainingStage:
        own = TrainingStage(name, fitting(lay(examples), max_tokens=most))
        if name == method:
            _check(own, needed, dataset)
        return replace(own, rows=[*own.rows, *fitting(lay(twins), max_tokens=most)])

    answers = stage("sft", layout.each_alone if is_private else layout.answers)
    if method == "sft":
        return [answers]
    last = stage(method, layout.preferences if method == "dpo" else layout.votes)
    return [answers, last] if answers.rows else [last]


def held_back(
    dataset: Path, settings: Settings, searcher: Searcher, base: ModelFolder, *, seed: int
) -> Sequence[SilencePair]:
    """What says how much of an adapter is used: of dev.jsonl, which is then not learned from.

    Nothing if there is too little of it, or the model has an encoder of its own.
    """
    chat_format = load_chat_format(base.path)
    if chat_format.kind == "seq2seq":
        return ()
    layout = RowLayout(chat_format, searcher, settings, seed=seed)
    pairs = layout.pairs(read_examples(dataset, "dev"))[:MOST_PAIRS]
    return pairs if len(pairs) >= MIN_PAIRS else ()


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
    """What an adapter is trained from, how, and where it keeps what it knows so far."""

    base: ModelFolder
    facts: Facts
    config: AdapterConfig
    setup: TrainerSetup
    study: Study[AdapterConfig] | None = None
    pairs: Sequence[SilencePair] = ()
    epsilon: float | None = None

    def learn(self, settings: Settings, stages: Sequence[TrainingStage]) -> Run | None:
        """The run that comes of it; None in processes that only helped. Frees the model."""
        device = choose_device(settings)
        use_threads(device)
        chat_format = load_chat_format(self.base.path)
        # The trainer moves it: of several GPUs, each process has one of its own.
        base = load_model(self.base.path, replace(device, name="cpu"), chat_format.kind)
        model = with_adapter(base, self.config, seed=self.setup.seed)
        if self.epsilon is not None:
            return self._learn_privately(settings, model, chat_format, stages[0], device)
        for stage in stages:
            tokens = sum(row.tokens for row in stage.rows)
            self.setup.on_progress(f"{stage.method}: {len(stage.rows)} rows, {tokens:,} tokens")
        results = learn(model, chat_format, stages, self.setup, device=device, config=self.config)
        if is_helper():
            return None
        metrics = {f"{stage.method}_rows": float(len(stage.rows)) for stage in stages}
        for result in results:
            metrics |= result.figures()
        if self.pairs:
            self.setup.on_progress(f"trying how it declines on {len(self.pairs)} held back")
            metrics |= asdict(settle(model, self.pairs))
        return write_run(
            settings.runs_folder,
            "generator",
            replace(self.facts, metrics=metrics),
            lambda folder: self._save(folder, model, results),
        )

    def _learn_privately(
        self,
        settings: Settings,
        model: PeftModel,
        chat_format: ChatFormat,
        stage: TrainingStage,
        device: Device,
    ) -> Run:
        """The run that knows no more of its rows than how many they were."""
        assert self.epsilon is not None
        rows, on_progress = stage.rows, self.setup.on_progress
        weights = model.get_nb_trainable_parameters()[0]
        planned = plan(len(rows), self.epsilon, self.config, weights=weights)
        on_progress(f"{len(rows)} rows, {planned.noise_multiplier} times noise")
        steps = learn_privately(
            model, chat_format, rows, planned, self.setup, device=device, config=self.config
        )
        facts = replace(
            self.facts,
            config={**self.facts.config, "privacy": asdict(planned)},
            metrics={
                "sft_rows": float(len(rows)),
                "sft_steps": float(steps),
                "epsilon_spent": round(spent(planned, steps), 4),
            },
        )

        def save(folder: Path) -> None:
            self._save_adapter(folder, model)
            check_saved(folder, model)

        return write_run(settings.runs_folder, "generator", facts, save)

    def _save(self, folder: Path, model: PeftModel, results: Sequence[StageResult]) -> None:
        self._save_adapter(folder, model)
        save_losses(folder, {result.method: result.losses for result in results}, unit="step")
        if self.study:
            self.study.save(folder)

    def _save_adapter(self, folder: Path, model: PeftModel) -> None:
        # Its name, not its path on this machine.
        model.peft_config["default"].base_model_name_or_path = self.base.id
        model.save_pretrained(
            str(folder), selected_adapters=["default"], save_embedding_layers=False
        )
        (folder / "README.md").unlink(missing_ok=True)  # an empty form; the run has its own card


def judged(
    run: Run,
    evaluation_set: EvaluationSet,
    settings: Settings,
    searcher: Searcher,
    on_progress: Tell,
    *,
    wanted: Wanted = "better",
) -> GateDecision:
    """What the gate says of a run beside what serves."""
    on_progress(f"trying what serves on {len(evaluation_set.held_out)} questions held out")
    served = _outcomes(None, evaluation_set, settings, searcher)
    on_progress("trying the candidate on the same")
    (decision,) = decide(
        served,
        [_outcomes(run, evaluation_set, settings, searcher)],
        outdated=evaluation_set.outdated,
        wanted=wanted,
    )
    return decision


def _outcomes(
    run: Run | None, evaluation_set: EvaluationSet, settings: Settings, searcher: Searcher
) -> list[QuestionOutcome]:
    """What the bot makes of an evaluation set with a run, or with what serves."""
    judge = InstalledModels(settings).judge(searcher.embedder)
    generator = load_generator(settings, run=run)
    try:
        return try_answerer(Answerer(searcher, judge, settings, generator), evaluation_set)
    finally:
        generator.close()
