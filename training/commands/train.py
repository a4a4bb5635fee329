"""`whimbrel train`: learn from a data set; each learner leaves a run and the gate's report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.types import StringParamType

from retrieval.errors import RetrievalError
from training.commands.calibrate import FOLDERS
from training.progress import say

if TYPE_CHECKING:
    from retrieval.settings import Settings
    from training.gate.candidate import LearnedRun


class Finite(click.FloatRange):
    """A number of a range; neither infinite nor `nan`, which no range refuses."""

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number to reckon with.", param, ctx)
        return number


class Address(StringParamType):
    """A host and a port, such as `learn.example.com:9092`."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was given."""
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            self.fail(f"{value!r} is no HOST:PORT.", param, ctx)
        return value


@contextmanager
def refusing() -> Iterator[None]:
    """What is wrong inside is a fault of how the command was called."""
    try:
        yield
    except RetrievalError as error:
        raise click.UsageError(str(error)) from error


DATASET = click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))

MINUTES = Finite(min=0, min_open=True)


def settings_for(dataset: Path) -> Settings:
    """The settings to learn with from a folder, if it is a data set."""
    from retrieval.settings import load_settings

    if not (dataset / "held-out.jsonl").is_file():
        raise click.UsageError(
            f"{dataset} is no data set: it has no held-out.jsonl. `whimbrel export` writes one"
        )
    return load_settings()


def seed(of: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that says what all chance follows from; no library takes more or less."""
    return click.option(
        "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help=of
    )


SEARCH = click.option(
    "--search",
    "trials",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="First try N configurations, on questions held back; they are listed and drawn beside the "
    "result. Each takes as long as learning once or twice.",
)

AUGMENT = click.option(
    "--augment",
    "augments",
    is_flag=True,
    help="Learn from noisy twins, too: mistyped, careless, reworded, half translated. They have "
    "the labels of their originals, and nothing is measured on them.",
)


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SECRET = click.option(
    "--secret",
    "is_secret",
    is_flag=True,
    help="Add up under masks (SecAgg+): the coordinator sees the sum alone, and so cannot leave "
    "out who spoils it. All must say so.",
)


def trust(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that say who belongs together."""
    options = (
        click.option(
            "--authority",
            type=FILE,
            required=required,
            help="Certificate of who signed the coordinator's, as PEM.",
        ),
        click.option(
            "--token-file",
            type=FILE,
            required=required,
            help="Secrets of 16 letters or more: a member's own; the coordinator's, one a line.",
        ),
        SECRET,
    )
    return lambda command: reduce(lambda wrapped, option: option(wrapped), options[::-1], command)


@click.group()
def train() -> None:
    """Learn from a data set that `whimbrel export` wrote. Nothing is published by this."""


@train.command("map")
@DATASET
@seed("The same seed makes the same map.")
@SEARCH
@AUGMENT
def train_map(dataset: Path, seed: int, trials: int, augments: bool) -> None:
    """Fit a linear map of the embedder's vectors to the pairs in DATASET: a matter of seconds.

    The map is tried on the questions that DATASET holds out, beside what serves now, and kept
    with the gate's report. `whimbrel publish` lets it serve, if the gate has passed it.
    """
    from retrieval.index.served_embedder import load_embedder
    from training.retriever.learned_map import learn_map
    from training.trainer import LearnOptions

    settings = settings_for(dataset)
    embedder = load_embedder(settings, on_progress=say)
    options = LearnOptions(seed, trials, on_progress=say, augments=augments)
    _tell(learn_map(dataset, settings, embedder, options))


@train.command("retriever")
@DATASET
@seed("The same seed makes the same model.")
@click.option("--epochs", type=click.IntRange(min=1), help="Times that all pairs are shown.")
@click.option("--max-minutes", type=MINUTES, help="Stop learning after so long; then it is tried.")
@SEARCH
@AUGMENT
def train_retriever(
    dataset: Path,
    seed: int,
    epochs: int | None,
    max_minutes: float | None,
    trials: int,
    augments: bool,
) -> None:
    """Fine-tune the whole embedder on the pairs in DATASET: minutes, and the index is made anew.

    What was broken off goes on from its last epoch when the same is started again. The result is
    tried on the questions that DATASET holds out, beside what serves now, and kept with the gate's
    report. `whimbrel publish` lets it serve, if the gate has passed it. For several GPUs:
    `PYTHONSAFEPATH=1 accelerate launch -m retrieval.cli train retriever DATASET`.
    """
    from dataclasses import replace

    from retrieval.index.served_embedder import load_embedder
    from training.retriever.fine_tune import FineTuneConfig
    from training.retriever.learned_retriever import learn_retriever
    from training.trainer import LearnOptions

    settings = settings_for(dataset)
    config = FineTuneConfig()
    learned = learn_retriever(
        dataset,
        settings,
        load_embedder(settings, on_progress=say),
        LearnOptions(seed, trials, max_minutes, say, augments),
        config=replace(config, epochs=epochs or config.epochs),
    )
    if learned is not None:
        _tell(learned)


@train.command("abstention")
@DATASET
@seed("Of the encoder and the bootstrap.")
@click.option(
    "--strong",
    is_flag=True,
    help="Fine-tune an encoder that reads question and passage, too, which takes many minutes; it "
    "becomes a part of the judge only if that is surely better with it.",
)
@click.option(
    "--federated",
    "coordinator",
    type=Address(),
    metavar="HOST:PORT",
    help="Learn together with other workspaces, at a coordinator; ratings stay here.",
)
@trust(required=False)
@AUGMENT
def train_abstention(
    dataset: Path,
    seed: int,
    strong: bool,
    augments: bool,
    coordinator: str | None,
    authority: Path | None,
    token_file: Path | None,
    is_secret: bool,
) -> None:
    """Fit the judge, which says whether an answer will be right, to the ratings in DATASET.

    Besides rated answers it learns from every question whose passage is known: as it is, and with
    the documents that answer it left out. The judge is for the embedder that serves now, and is
    tried and kept like every other learned model; its scores are in pictures beside it.
    """
    from retrieval.index.served_embedder import load_embedder
    from training.classifiers.judge import learn_abstention
    from training.extra import need
    from training.federated import Membership, check_membership

    membership = None
    if coordinator is not None:
        if authority is None or token_file is None or strong:
            raise click.UsageError(
                "--federated needs --authority and --token-file, and goes without --strong"
            )
        membership = Membership(coordinator, authority, token_file, is_secret)
        with refusing():
            check_membership(membership)
        need("flwr", extra="federated")
    elif authority or token_file or is_secret:
        raise click.UsageError("--authority, --token-file and --secret go with --federated")
    settings = settings_for(dataset)
    embedder = load_embedder(settings, on_progress=say)
    learned = learn_abstention(
        dataset,
        settings,
        embedder,
        strong=strong,
        membership=membership,
        augments=augments,
        seed=seed,
        on_progress=say,
    )
    _tell(learned)


@train.command("coordinate")
@click.option(
    "--listen",
    type=Address(),
    default="127.0.0.1:9092",
    show_default=True,
    metavar="HOST:PORT",
    help="Address and port to listen at.",
)
@click.option("--certificate", type=FILE, required=True, help="The coordinator's own, as PEM.")
@click.option("--key", type=FILE, required=True, help="The private key of the certificate.")
@trust(required=True)
def train_coordinate(
    listen: str,
    certificate: Path,
    key: Path,
    authority: Path,
    token_file: Path,
    is_secret: bool,
) -> None:
    """Have several workspaces learn one judge together: the coordinator of `--federated`.

    It needs neither documents nor ratings, sees numbers alone, and keeps nothing. It waits for a
    member with each of the tokens, takes the median of what they send, round by round, and ends.
    Each member then puts what was learned through its own gate.
    """
    from training.federated import Coordination, check_coordination, coordinate

    coordination = Coordination(listen, certificate, key, authority, token_file, is_secret)
    with refusing():
        check_coordination(coordination)
    coordinate(coordination, on_progress=say)
    click.echo("learned; each member's gate decides")


@train.command("confidence")
@DATASET
@seed("Of the bootstrap.")
@AUGMENT
def train_confidence(dataset: Path, seed: int, augments: bool) -> None:
    """Fit how sure the judge is, and from when on it answers, to the ratings in DATASET: seconds.

    The served judge's log-odds are scaled and shifted, a little from 20 rated answers and further
    from 100, for each language. Each rating is judged by a fit that has not seen it. What is not
    surely better holds the judge that serves. `whimbrel rollback --kind judge` goes back.
    """
    from retrieval.index.served_embedder import load_embedder
    from training.classifiers.confidence import learn_confidence

    if augments:
        raise click.UsageError(
            "nobody has rated what would be answered to a noisy twin, and the confidence is two "
            "numbers fitted to ratings; train abstention --augment, of which it is a part"
        )
    settings = settings_for(dataset)
    embedder = load_embedder(settings, on_progress=say)
    _tell(learn_confidence(dataset, settings, embedder, seed=seed, on_progress=say))


@train.command("reader")
@FOLDERS
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the adapter to this file.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Take so many questions of each kind.")
@click.option("--licence", default="", help="Of the adapter; it is written into the file.")
@click.option(
    "--from",
    "begin",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Go on from this adapter; what lies halfway is written. Of folders that it knows only "
    "a few questions of each kind are learned again.",
)
@seed("The same seed makes the same reader.")
@AUGMENT
def train_reader(
    folders: tuple[Path, ...],
    output: Path | None,
    limit: int | None,
    begin: Path | None,
    licence: str,
    seed: int,
    augments: bool,
) -> None:
    """Teach the embedder to read a question and a passage together, on data sets in FOLDERS.

    Each folder is in the format that `whimbrel evaluate` reads; one that is named twice counts
    twice, with other near misses. An adapter of a few megabytes is learned: minutes on a GPU, on
    two cores an hour for every 2,000 questions. It is used from the next start on in place of the
    one that comes with the package; then calibrate the judge for it, with `whimbrel calibrate`.
    Delete the file to go back.
    """
    from retrieval.commands import progress_bar
    from retrieval.search.reading import ADAPTER
    from retrieval.settings import load_settings
    from training.classifiers.reader import learn_to_read

    settings = load_settings()
    to = output or settings.models_folder / ADAPTER
    with progress_bar() as on_progress:
        learn_to_read(
            folders,
            settings,
            to,
            licence=licence,
            seed=seed,
            limit=limit,
            augments=augments,
            begin=begin,
            on_progress=on_progress,
            tell=say,
        )
    click.echo(f"written to {to}")


@train.command("generator")
@DATASET
@click.option(
    "--method",
    type=click.Choice(["sft", "dpo", "kto"]),
    default="sft",
    show_default=True,
    help="From answers; from answers and then preferences; or from answers and then votes.",
)
@click.option(
    "--even-if-it-learns-to-refuse",
    is_flag=True,
    help="Allow kto: on noisy votes it was seen to refuse two thirds of what it could answer.",
)
@click.option(
    "--dp",
    "epsilon",
    type=Finite(min=0, min_open=True, max=20),
    metavar="EPSILON",
    help="Learn answers with differential privacy: no one of them changes much of what is learned.",
)
@seed("The same seed makes the same adapter.")
@click.option(
    "--max-minutes", type=MINUTES, help="Stop learning after so long, with what there is."
)
@SEARCH
@AUGMENT
def train_generator(
    dataset: Path,
    method: Literal["sft", "dpo", "kto"],
    even_if_it_learns_to_refuse: bool,
    epsilon: float | None,
    seed: int,
    max_minutes: float | None,
    trials: int,
    augments: bool,
) -> None:
    """Train an adapter of the generator on answers that people approved or corrected in DATASET.

    On two processor cores a model of half a billion weights takes about ten seconds a row; several
    GPUs share the work under `PYTHONSAFEPATH=1 accelerate launch -m retrieval.cli train generator
    DATASET`. What is broken off goes on from its last checkpoint when the same command is given
    again; with --dp it begins again, and no seed makes the same noise.
    """
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from training.generator.learned_adapter import check_private, learn_adapter
    from training.trainer import LearnOptions

    if method == "kto" and not even_if_it_learns_to_refuse:
        raise click.UsageError("kto may learn to refuse; see --even-if-it-learns-to-refuse")
    options = LearnOptions(seed, trials, max_minutes, say, augments)
    if epsilon is not None:
        with refusing():
            check_private(method, options)
    settings = settings_for(dataset)
    library = Library.load(settings, load_embedder(settings, on_progress=say))
    learned = learn_adapter(dataset, settings, library, options, method=method, epsilon=epsilon)
    if learned is not None:
        _tell(learned)


@train.command("endpoint")
@DATASET
@click.option("--model", metavar="NAME", help="Another model of the endpoint that answers.")
@click.option(
    "--prompt",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of TOML with other instructions: `version`, and the words as `en`, `zh` or both.",
)
@click.option("--dry-run", is_flag=True, help="Say what it will cost, and ask nothing.")
@click.option("--yes", is_flag=True, help="Do not wait for a word before the endpoint is asked.")
def train_endpoint(
    dataset: Path, model: str | None, prompt: Path | None, dry_run: bool, yes: bool
) -> None:
    """Judge another model of the endpoint, or other instructions, beside what serves.

    Nothing is trained. The questions that DATASET holds out, and those that were frozen, are asked
    of both, with the passages that search finds; what that costs in calls and tokens is told
    before. The candidate becomes a run like every other: `whimbrel publish` lets it serve, if the
    gate has passed it. Where WHIMBREL_ENDPOINTS forbids endpoints, nothing is sent.
    """
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from training.generator.endpoint_candidate import check_allowed, prepare, read_instructions

    with refusing():
        instructions = read_instructions(prompt) if prompt else None
    settings = settings_for(dataset)
    check_allowed(settings)
    library = Library.load(settings, load_embedder(settings, on_progress=say))
    trial = prepare(
        dataset, settings, library, model=model, instructions=instructions, on_progress=say
    )
    for id_, cost in trial.costs().items():
        click.echo(
            f"{id_}: {cost.calls} calls, about {cost.tokens_read:,} tokens to read and at most "
            f"{cost.tokens_written:,} to write, thoughts aside"
        )
    if dry_run:
        return
    if not yes:
        click.confirm("Ask them?", abort=True)
    _tell(trial.judge(say))


@train.command("triage")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@seed("The same seed makes the same model.")
@AUGMENT
def train_triage(source: Path, seed: int, augments: bool) -> None:
    """Fit what tells questions for the documents from other talk, to what people said.

    SOURCE is a data set, whose questions are some and whose `message` examples say what was taken
    for one; or a file with a message a line, after a tab and 1 for a question or 0 for other talk.
    Half of the messages are held out, and the model is tried on them beside what serves now.
    """
    from retrieval.index.served_embedder import load_embedder
    from retrieval.settings import load_settings
    from training.classifiers.triage import learn_triage

    settings = load_settings()
    embedder = load_embedder(settings, on_progress=say)
    learned = learn_triage(
        source, settings, embedder, augments=augments, seed=seed, on_progress=say
    )
    _tell(learned)


@train.command("reranker")
@DATASET
@seed("The same seed makes the same model.")
@AUGMENT
def train_reranker(dataset: Path, seed: int, augments: bool) -> None:
    """Fine-tune the configured cross-encoder on what DATASET says of questions and passages.

    That takes a pre-trained cross-encoder (WHIMBREL_RERANKER) and a thousand labelled pairs: from
    less, or from an encoder that has never reranked, it would learn less than plain cosines tell.
    """
    from retrieval.index.served_embedder import load_embedder
    from training.classifiers.reranker import learn_reranker

    settings = settings_for(dataset)
    embedder = load_embedder(settings, on_progress=say)
    learned = learn_reranker(
        dataset, settings, embedder, augments=augments, seed=seed, on_progress=say
    )
    _tell(learned)


def _tell(learned: LearnedRun) -> None:
    """Print what the gate says of a run, and how it comes to serve."""
    from training.gate.report import markdown

    run = learned.run
    click.echo(markdown(learned.decision, title=f"{run.kind} {run.id}"))
    if learned.decision.is_passed:
        click.echo(f"let it serve: whimbrel publish {run.id}")
