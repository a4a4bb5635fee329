"""What a generator learns from answers and preferences: bare, base and learned on judged questions.

    python -m benchmarks.learning.generator FOLDER... [--method sft|dpo] [--seeds N...]
    python -m benchmarks.learning.generator FOLDER... --dataset DATASET [--method sft|dpo]

A FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with answers.jsonl. The
half of the questions that `whimbrel calibrate` never fits on is asked; as many as are told of the
other half are learned from. For `dpo`, what the base model says to some of the latter is rejected
where a person's answer is better. With --dataset not the folders are learned from, but what
`whimbrel export` has frozen of other documents, those of the index in WHIMBREL_HOME. All see the
same passages:

- `bare`: an instruction to cite and to say "I don't know" (see `benchmarks/answers.py`);
- `base`: the model under Whimbrel's prompt, taken at its word;
- `learned`: the same with the adapter;
- `base pipeline`, `learned pipeline`: the whole of Whimbrel.

A sixth of what is learned from is held back, and says how much of the adapter is used. At the end
stands whether the adapter by itself is above the bare model in F1 and in right silence, and silent
wrongly on less than 15 %, with each seed. `--alone` leaves the pipelines out.

The default prompt has four passages; `WHIMBREL_HITS=2` halves the time of all of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

import click

from benchmarks.answers import BareModel
from retrieval.answering.answerer import Answerer
from retrieval.answering.citations import CheckedStream, Citer
from retrieval.answering.decline_filter import declines
from retrieval.answering.judge import load_judge
from retrieval.answering.prompt import build_prompt
from retrieval.evaluation.dataset import Dataset, ReferenceAnswer, read_dataset
from retrieval.evaluation.evaluate import EvaluatedAnswer, build_library, reply, spread
from retrieval.examples import (
    SPLITS,
    Example,
    PassageText,
    Split,
    content_id,
    dataset_hash,
    write_examples,
)
from retrieval.index.library import Library
from retrieval.language import language_of
from retrieval.llm.generator import Generator, load_generator
from retrieval.models.catalogue import resolve
from retrieval.records import Answer, AnswerRequest, Completion
from retrieval.registry.runs import Facts, Run
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings
from training.classifiers.judge_fit import is_held_out
from training.gate.comparison import compare
from training.generator.learned_adapter import (
    AdapterTrainer,
    held_back,
    lay_out,
)
from training.generator.rows import DECLINES
from training.generator.trainers import AdapterConfig
from training.progress import say
from training.trainer import TrainerSetup

HELD_BACK_EVERY = 6

MOST_FALSE_SILENCE = 0.15

POOR = 0.5
"""What has less token F1 than this with a person's answer is rejected for it."""


class Remembering:
    """A generator that writes what it has written before to the same prompt."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._written: dict[tuple[tuple[str, str], ...], Completion] = {}
        self.id, self.kind = generator.id, generator.kind
        self.context_tokens, self.parameters = generator.context_tokens, generator.parameters
        self.count_tokens, self.close = generator.count_tokens, generator.close

    def generate(
        self, messages: Sequence[tuple[str, str]], *, max_tokens: int, **rest: object
    ) -> Completion:
        """As the generator itself, at once where it knows the prompt; it does not stream."""
        asked = tuple(messages)
        if asked not in self._written:
            self._written[asked] = self._generator.generate(asked, max_tokens=max_tokens)
        done = self._written[asked]
        if callable(show := rest.get("on_text")):
            show(done.text)
        return done


class AtItsWord:
    """A generator under Whimbrel's prompt; what it writes is not checked, only cited."""

    def __init__(self, library: Library, generator: Remembering, settings: Settings) -> None:
        self._library, self._generator, self._settings = library, generator, settings

    def answer(self, request: AnswerRequest) -> Answer:
        """What the model says; silence where it says that the passages do not tell."""
        question, language = request.text, language_of(request.text)
        hits = self._library.searcher().search(question, k=200)[: self._settings.hits]
        prompt = build_prompt(
            question,
            hits,
            language=language,
            count_tokens=self._generator.count_tokens,
            max_tokens=self._settings.prompt_tokens,
        )
        messages = [("system", prompt.system), ("user", prompt.user)]
        done = self._generator.generate(messages, max_tokens=self._settings.answer_tokens)
        checked = CheckedStream(Citer(question, prompt.passages))
        checked.feed(done.text)
        checked.close()
        return Answer(
            id="",
            question=question,
            query=question,
            kind="abstention" if declines(done.text) else "answer",
            text=done.text,
            language=language,
            confidence=0.0,
            citations=checked.citer.citations,
            timings={"total": done.total_s},
        )


@dataclass(frozen=True)
class AnswerSets:
    """Questions to learn from and questions to measure on, over one index."""

    library: Library
    train: tuple[ReferenceAnswer, ...]
    asked: tuple[ReferenceAnswer, ...]


def gather(folders: Sequence[Path], settings: Settings, *, train: int, asked: int) -> AnswerSets:
    """The folders' passages in one index, and as many questions of each folder as are told."""
    sets = [read_dataset(folder) for folder in folders]
    together = Dataset(
        name="+".join(dataset.name for dataset in sets),
        passages=tuple(passage for dataset in sets for passage in dataset.passages),
        queries=(),
        qrels={},
        cross_qrels={},
        answers=(),
    )
    embedder = Embedder.load(settings)
    library = build_library(together, settings, embedder, lambda *_: None)
    fitted = [
        [reference for reference in dataset.answers if not is_held_out(reference.id)]
        for dataset in sets
    ]
    held_out = [
        [reference for reference in dataset.answers if is_held_out(reference.id)]
        for dataset in sets
    ]
    return AnswerSets(
        library,
        tuple(reference for some in fitted for reference in spread(some, train)),
        tuple(reference for some in held_out for reference in spread(some, asked)),
    )


def example(
    reference: ReferenceAnswer, library: Library, *, rejected: str | None = None
) -> Example:
    """What a person would answer as an example, with the passages that it came from."""
    held = [p for p in library.searcher().index.passages if p.source.id in reference.passages]
    answer = min(reference.answers, key=len) if reference.answers else None
    language = language_of(reference.question)
    wanted = answer or (DECLINES[language] if rejected else None)
    support = {
        p.id: Citer(reference.question, [p]).support(wanted) if wanted else 0.0 for p in held
    }
    found = sorted(held, key=lambda passage: -support[passage.id])
    if rejected and not found:
        found = [hit.passage for hit in library.searcher().search(reference.question, k=4)]
    return Example(
        id=content_id(reference.id, rejected or ""),
        kind="preference" if rejected else "answer",
        question=reference.question,
        language=language,
        passages=tuple(PassageText(p.source.id, p.content_hash, "", p.text) for p in found),
        source="imported",
        day="2026-01-01",
        answer=wanted,
        rejected=rejected,
        is_good=rejected is not None or answer is not None,
    )


def write_dataset(home: Path, splits: dict[Split, list[Example]]) -> Path:
    """Write a data set as `whimbrel export` does; its folder."""
    folder = home / dataset_hash(splits)
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        write_examples(folder, split, splits.get(split, []))
    return folder


def rejections(sets_: AnswerSets, settings: Settings, most: int) -> Iterator[Example]:
    """What the base model says to questions to learn from, where a person's answer is better."""
    generator = Remembering(load_generator(settings))
    words = AtItsWord(sets_.library, generator, settings)
    some = spread(sets_.train, most)
    for reference, said in zip(some, reply(some, words.answer, lambda *_: None), strict=True):
        is_wrong = said.kind == "answer" if reference.is_unanswerable else said.f1 < POOR
        if is_wrong:
            yield example(reference, sets_.library, rejected=said.text)
    generator.close()


def ask(
    sets_: AnswerSets,
    settings: Settings,
    run: Run | None,
    *,
    is_bare: bool = False,
    is_alone: bool = False,
) -> dict[str, list[EvaluatedAnswer]]:
    """What each way of using a generator says to the questions that are asked."""
    generator = Remembering(load_generator(settings, run=run))
    name = "learned" if run else "base"
    judge = load_judge(settings.models_folder, sets_.library.embedder)
    ways = {name: AtItsWord(sets_.library, generator, settings).answer}
    if not is_alone:
        searcher = sets_.library.searcher()
        ways[f"{name} pipeline"] = Answerer(searcher, judge, settings, generator).answer
    if is_bare:
        ways = {"bare": BareModel(sets_.library, generator, settings).answer} | ways
    said = {way: reply(sets_.asked, answer, lambda *_: None) for way, answer in ways.items()}
    generator.close()
    return said


@dataclass(frozen=True, slots=True)
class Scores:
    """What replies are worth: of what can be answered, and of what cannot."""

    f1: float
    right_silence: float
    false_silence: float
    cited_well: float
    able: int
    unable: int

    @classmethod
    def of(cls, replies: Sequence[EvaluatedAnswer]) -> Scores:
        """The means over the questions of each kind."""
        able = [answered for answered in replies if not answered.is_unanswerable]
        unable = [answered for answered in replies if answered.is_unanswerable]
        spoken = [answered for answered in able if answered.kind == "answer" and answered.cited]
        cited = [bool({*answered.cited} & {*answered.relevant}) for answered in spoken]
        return cls(
            fmean(answered.f1 for answered in able),
            fmean(answered.kind == "abstention" for answered in unable),
            fmean(answered.kind == "abstention" for answered in able),
            fmean(cited) if cited else 0.0,
            len(able),
            len(unable),
        )

    def row(self, name: str) -> str:
        """One line of the table."""
        return (
            f"| {name} | {self.f1:.3f} | {self.right_silence:.3f} | {self.false_silence:.3f} "
            f"| {self.cited_well:.3f} | {self.able} + {self.unable} |"
        )

    def is_wanted(self, bare: Scores) -> bool:
        """Whether this is above the bare model, and seldom silent where it should not be."""
        is_above = self.f1 > bare.f1 and self.right_silence > bare.right_silence
        return is_above and self.false_silence < MOST_FALSE_SILENCE


HEAD = (
    "| way | F1 | right silence | false silence | cites a right passage | asked |\n"
    "|---|---|---|---|---|---|"
)


def worth(said: EvaluatedAnswer) -> float:
    """The token F1; of a question without an answer, 1 for silence."""
    return float(said.kind == "abstention") if said.is_unanswerable else said.f1


def main() -> None:
    """Print what each way of answering is worth, for each seed."""
    arguments = parse_arguments()
    settings = load_settings()
    sets_ = gather(arguments.folders, settings, train=arguments.train, asked=arguments.asked)
    dataset, library = training_data(arguments, settings, sets_)
    alone = arguments.alone
    before = ask(sets_, settings, None, is_bare=True, is_alone=alone)
    click.echo(HEAD)
    for way, replies in before.items():
        click.echo(Scores.of(replies).row(way))
    bare, wanted = Scores.of(before["bare"]), []
    for seed in arguments.seeds:
        run = learned(dataset, library, settings, arguments, seed)
        for name, value in run.facts.metrics.items():
            click.echo(f"  {name} {value}")
        after = ask(sets_, settings, run, is_alone=alone)
        for way, replies in after.items():
            click.echo(Scores.of(replies).row(f"{way}, {arguments.method}, seed {seed}"))
            other = before[way.replace("learned", "base")]
            gained = compare(
                [worth(answered) for answered in other], [worth(answered) for answered in replies]
            )
            click.echo(
                f"  against base: {gained.gain:+.3f} [{gained.low:+.3f}, {gained.high:+.3f}], "
                f"{gained.wins} better, {gained.losses} worse, p {gained.p:.2g}"
            )
        wanted.append(Scores.of(after["learned"]).is_wanted(bare))
    click.echo(
        f"above the bare model in F1 and right silence, and less than {MOST_FALSE_SILENCE:.0%} "
        f"silent wrongly: {sum(wanted)} of {len(wanted)} seeds"
    )


def training_data(
    arguments: argparse.Namespace, settings: Settings, sets_: AnswerSets
) -> tuple[Path, Library]:
    """The data set to learn from, and what its answers were made from."""
    if arguments.dataset:
        return arguments.dataset, Library.load(settings, sets_.library.embedder)
    answers = [example(reference, sets_.library) for reference in sets_.train]
    worse = []
    if arguments.method == "dpo":
        worse = list(rejections(sets_, settings, arguments.rejections))
    dev = answers[::HELD_BACK_EVERY]
    rest = [answer for answer in answers if answer not in dev]
    dataset = write_dataset(settings.home / "evaluations", {"train": [*rest, *worse], "dev": dev})
    return dataset, sets_.library


def learned(
    dataset: Path, library: Library, settings: Settings, arguments: argparse.Namespace, seed: int
) -> Run:
    """A run that has learned from the data set; nobody judges it but this benchmark."""
    base = resolve(settings.generator, models_folder=settings.models_folder)
    config = replace(
        AdapterConfig(), epochs=arguments.epochs, learning_rate=arguments.learning_rate
    )
    searcher = library.searcher()
    pairs = held_back(dataset, settings, searcher, base, seed=seed)
    stages = lay_out(
        dataset,
        settings,
        searcher,
        base,
        method=arguments.method,
        seed=seed,
        least=1,
        is_watched=bool(pairs),
    )
    facts = Facts(base.id, dataset.name, seed, version("whimbrel"), asdict(config))
    work = settings.models_folder / "training" / content_id(arguments.method, repr(facts))
    setup = TrainerSetup(work, seed, on_progress=say)
    run = AdapterTrainer(base, facts, config, setup, pairs=pairs).learn(settings, stages)
    assert run is not None, "there is one process"
    return run


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--method", choices=["sft", "dpo"], default="dpo")
    parser.add_argument("--dataset", type=Path, help="learned from in place of the folders")
    parser.add_argument("--train", type=int, default=100, help="questions of a set to learn from")
    parser.add_argument("--rejections", type=int, default=60, help="asked to find worse answers")
    parser.add_argument("--asked", type=int, default=40, help="questions of a set to measure on")
    parser.add_argument("--alone", action="store_true", help="leave the whole of Whimbrel out")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--learning-rate", type=float, default=AdapterConfig().learning_rate)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


if __name__ == "__main__":
    main()
