"""The sub-commands of `whimbrel` that bring ratings in and take data sets out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.
if TYPE_CHECKING:
    from bot.export.freezing import FrozenDataset
    from bot.export.records import ReasonCode


@click.command()
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="ID",
    help="Also learn from this channel if it is private, and from its answers made from restricted "
    "documents: their words may then show in answers elsewhere. May be repeated.",
)
@click.option("--direct-messages", is_flag=True, help="Also learn from what was said in private.")
@click.option(
    "--synthetic",
    type=click.IntRange(min=1),
    metavar="N",
    help="Add up to N questions made from the documents themselves.",
)
@click.option(
    "--ask-generator",
    is_flag=True,
    help="Let the generator ask the synthetic questions, which takes longer; otherwise they are "
    "made of headings and sentences.",
)
@click.option(
    "--distilled",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Add what `whimbrel distil` made of documents that are as they were and for everybody.",
)
@click.option(
    "--held-out",
    "reserved",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Never train on the questions in this file, nor on similar ones: a JSON object with "
    "`text` or `question` a line, plain or gzipped.",
)
@click.option(
    "--allow-empty",
    is_flag=True,
    help="Write the data set also if no example is in it, which is an error otherwise.",
)
def export(
    channels: tuple[str, ...],
    direct_messages: bool,
    synthetic: int | None,
    ask_generator: bool,
    distilled: Path | None,
    reserved: Path | None,
    allow_empty: bool,
) -> None:
    """Freeze what people's ratings teach into a data set.

    The data set is a folder, dataset/HASH, whose card.md says what is in it, what was left out and
    why. The same log gives the same hash. Only what people agreed to is learned from; ids of people
    never leave the database, and what looks personal or secret is replaced. Answers from documents
    that not everybody may see, and private conversations, are left out unless asked for.

    One third of the questions that experts approved, the newest, are held out to test on. Neither
    they nor similar questions are ever trained on by a later data set. Once there are 50, up to 200
    are frozen in dataset/regression.jsonl: no model that answers those worse is published.
    """
    from bot.export.exporting import export_log, read_questions
    from bot.export.records import Policy
    from bot.store.opening import open_database
    from retrieval.commands import progress_bar
    from retrieval.index.served_embedder import load_embedder
    from retrieval.llm.generator import load_generator
    from retrieval.settings import load_settings

    settings = load_settings()
    questions = read_questions(reserved) if reserved else ()
    embedder = load_embedder(settings, on_progress=_say)
    generator = load_generator(settings, on_progress=_say) if synthetic and ask_generator else None
    policy = Policy(channels=frozenset(channels), with_direct_messages=direct_messages)
    database = open_database(settings)
    try:
        with progress_bar() as on_progress:
            folder, frozen = export_log(
                settings,
                database,
                embedder,
                policy=policy,
                synthetic=synthetic or 0,
                generator=generator,
                distilled=distilled,
                reserved=questions,
                allows_nothing=allow_empty,
                on_progress=on_progress,
            )
    finally:
        database.close()
        if generator:
            generator.close()
    click.echo(f"{summary(frozen)}\n{folder}")


def summary(frozen: FrozenDataset) -> str:
    """How many examples of each kind there are, and how much was left out for what."""
    from bot.export.records import REASONS

    lines = [
        f"{split}: " + (", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "nothing")
        for split, kinds in frozen.counts("kind").items()
    ]
    excluded: dict[ReasonCode, int] = frozen.excluded
    if excluded:
        lines.append("left out:")
        lines += [f"{count:6}  {REASONS[code]}" for code, count in excluded.items()]
    return "\n".join(lines)


@click.command(name="export-analytics")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_analytics(file: Path) -> None:
    """Write tables for analysts into FILE, a SQLite file, such as for Datasette.

    They hold numbers, the questions that everybody could read, and the names of documents that
    everybody may read; no names of people. Those of an earlier time in FILE are replaced.
    """
    from bot.export.analytics import write_analytics
    from bot.store.opening import open_database
    from retrieval.errors import IndexNotFoundError
    from retrieval.index.store import index_store
    from retrieval.registry.rounds import all_rounds
    from retrieval.settings import load_settings
    from retrieval.sources.syncing import results

    settings = load_settings()
    try:
        held = index_store(settings).sources()
    except IndexNotFoundError:
        held = []
    labels = {source.id: source.audience for source in held}
    database = open_database(settings, is_read_only=True)
    try:
        rounds, pulled = all_rounds(settings.runs_folder), results(settings)
        counts = write_analytics(file, database, labels.get, pulled, rounds)
    finally:
        database.close()
    click.echo(f"{file}: {', '.join(f'{count} {name}' for name, count in counts.items())}")


@click.command(name="import-ratings")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--consented",
    is_flag=True,
    help="All raters have agreed that their ratings are learned from; without it they are not.",
)
@click.option(
    "--trust-tests",
    "trusts_tests",
    is_flag=True,
    help="Judge by rows with split `test` on which two raters or more agree, as if an expert had "
    "approved them; without it the gate believes experts alone.",
)
def import_ratings(folder: Path, consented: bool, trusts_tests: bool) -> None:
    """Bring ratings from elsewhere into the log.

    FOLDER holds `ratings.jsonl`, plain or gzipped, with one answered question a line:

    \b
    {"question": "...",           what was asked; stands by itself
     "answer": "...",             what was answered, if it was more than the passage
     "doc_id": "...",             the passage shown, by its _id in corpus.jsonl; or
     "passage": {"title", "text"} the passage itself; with neither, the answer was an abstention
     "ratings": [                 one for each rater
       {"rater": "...",           a name or id; without it, each rating is of another person
        "value": 1,               -1 or 1; or 1 to 4 throughout the file; or one of Excellent,
                                  Acceptable, Could be Improved, Bad (the former two are good)
        "reason": "wrong",        wrong, incomplete, outdated, wrong_source, not_understood, tone
        "text": "...",            in the rater's words
        "is_expert": false}],     an expert's word decides
     "correction": {"text": "...", "is_expert": true},   a better answer, or just its text
     "split": "train",            train and valid (or dev) may be trained on, test never is
     "language": "en",            en, zh...; guessed if missing
     "at": "2026-01-31T12:00:00", when; long ago if missing
     "audience": ["public"]}      labels of the documents used

    Only question and ratings must be there. A rating may also be a bare value or word, and texts
    may stand in a list `explanations` beside. `corpus.jsonl` {_id, title, text} is as BEIR has it.
    Importing a folder again adds only what is new, and consent.

    The passages must be indexed, or a retriever learns nothing from them: `whimbrel index FOLDER`
    reads corpus.jsonl. Documents that were indexed from other files, in other pieces, are
    recognised by their words.
    """  # noqa: D301 - click wants the very character \b
    from bot.export import ratings
    from bot.store.opening import open_database
    from retrieval.commands import progress_bar
    from retrieval.settings import load_settings

    database = open_database(load_settings())
    try:
        with progress_bar() as on_progress:
            report = ratings.import_ratings(
                folder,
                database,
                is_consented=consented,
                trusts_tests=trusts_tests,
                on_progress=on_progress,
            )
    finally:
        database.close()
    click.echo(
        f"{report.turns} answered questions with {report.ratings} ratings on {report.passages} "
        f"passages; {report.known} were there already"
    )
    if not consented:
        click.echo("They will not be learned from: --consented says that the raters agreed.")


def _say(line: str) -> None:
    """Progress goes to standard error: standard output is for results."""
    click.secho(line, dim=True, err=True)
