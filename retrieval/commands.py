"""The sub-commands of `whimbrel` about documents, searching and answering."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click

from retrieval.errors import DataError, QuestionError, SettingsError, did_you_mean

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.
if TYPE_CHECKING:
    from retrieval.index.building import IndexReport
    from retrieval.index.changes import Changes
    from retrieval.records import Answer, AnswerRequest, Failure, Message
    from retrieval.registry.runs import ModelKind
    from retrieval.serving.live import Live
    from retrieval.settings import Settings
    from retrieval.sources.syncing import Pulled

CHECKS = "whimbrel.checks"
"""The entry-point group whose members look for what is missing."""

_SHOWN = 20
_SAID_EVERY_S = 2.0

audience_option = click.option(
    "--audience",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="Also search documents with this audience label; may be repeated.",
)


@contextmanager
def _leaving_garbage() -> Iterator[None]:
    """For what ends soon: to look for garbage in all that is imported takes a tenth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--full", is_flag=True, help="Read and embed everything again.")
def index(folders: tuple[Path, ...], full: bool) -> None:
    """Read the documents in FOLDERS and build the search index.

    Single files and zip archives may be named, too. Without FOLDERS, those of the last time are
    read again. Only what changed is embedded; deleted and renamed files vanish from the index.
    """
    from retrieval.index.building import update_index
    from retrieval.index.content import read_sources
    from retrieval.index.served_embedder import load_embedder
    from retrieval.linking import unlinked
    from retrieval.settings import load_settings

    settings = load_settings()
    embedder = load_embedder(settings, on_progress=_say)
    with progress_bar() as on_progress:
        report = update_index(folders, settings, embedder, full=full, on_progress=on_progress)
    click.echo(summary(report))
    urls = (source.url for source in read_sources(settings.index_folder / report.generation))
    if others := unlinked(urls, settings.links):
        click.echo(f"not linked (WHIMBREL_LINK_HOSTS): {', '.join(others)}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--full", is_flag=True, help="List everything again, not only what changed.")
@click.option(
    "--allow-empty",
    is_flag=True,
    help="Believe a source that names next to nothing of what it had.",
)
def sync(names: tuple[str, ...], full: bool, allow_empty: bool) -> None:
    """Read what changed at the sources called NAME, or at all, and update the search index.

    Sources are named in `whimbrel.toml`. One that fails keeps what was read of it before.
    """
    from retrieval.errors import SourceError
    from retrieval.index.account import counted
    from retrieval.index.building import update_index
    from retrieval.index.served_embedder import load_embedder
    from retrieval.settings import load_settings
    from retrieval.sources.syncing import pull, sweep, unnamed

    settings = load_settings()
    if not settings.sources and not unnamed(settings):
        raise SettingsError("whimbrel.toml names no source; write one as [sources.NAME]")
    with progress_bar() if sys.stderr.isatty() else _spoken_progress() as on_progress:
        pulled = pull(settings, names, full=full, allow_empty=allow_empty, on_progress=on_progress)
        report = update_index((), settings, load_embedder(settings), on_progress=on_progress)
    sweep(settings)
    for result in pulled:
        click.echo(_pulled_line(result))
    unread = {failure.id for failure in report.failures}
    left_out = (left for result in pulled for left in result.left_out)
    if told := [f"{left.name}: {left.reason}" for left in left_out if left.name not in unread]:
        click.echo(f"{counted('document is shown as it was', len(told))} before:")
        click.echo("\n".join(_first(told, kept_in=settings.sources_folder)))
    click.echo(summary(report))
    if failed := [result.name for result in pulled if result.error]:
        raise SourceError(f"not read to the end: {', '.join(failed)}; the next sync goes on there")


def _pulled_line(result: Pulled) -> str:
    counts = (
        f"{result.new} new, {result.changed} changed, {result.gone} gone, "
        f"{result.unchanged} unchanged, {len(result.left_out)} left out"
    )
    return f"{result.name}: {counts}" + (f"; ended early: {result.error}" if result.error else "")


@click.command()
@click.argument("query")
@click.option(
    "-k", "count", default=5, show_default=True, type=click.IntRange(min=1), help="How many hits."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per hit and line.")
@audience_option
@_leaving_garbage()
def search(query: str, count: int, as_json: bool, labels: tuple[str, ...]) -> None:
    """Show what is found for QUERY, with scores and where each passage comes from."""
    from retrieval.answering.card import hit_json, render_hit, terminal_width, wrap
    from retrieval.answering.questions import clean
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from retrieval.settings import load_settings

    settings = load_settings()
    query = clean(query, max_chars=settings.max_question_chars)
    audience = _audience(labels, settings)  # before a model is loaded for nothing
    searcher = Library.load(settings, load_embedder(settings, on_progress=_say)).searcher()
    hits = searcher.search(query, k=count, audience=audience)
    for number, hit in enumerate(hits, start=1):
        click.echo(hit_json(hit) if as_json else wrap(render_hit(number, hit), terminal_width()))
    if not hits and not as_json:
        click.echo("Nothing found.")


@click.command()
@click.argument("question")
@click.option("--json", "as_json", is_flag=True, help="The whole answer as one JSON object.")
@audience_option
@_leaving_garbage()
def ask(question: str, as_json: bool, labels: tuple[str, ...]) -> None:
    """Answer QUESTION from the indexed documents, with citations."""
    from retrieval.answering.card import card_json, render_card, terminal_width, wrap
    from retrieval.records import AnswerRequest
    from retrieval.serving.model_loader import load_answerer
    from retrieval.settings import load_settings

    settings = load_settings()
    audience = _audience(labels, settings)  # before a model is loaded for nothing
    answerer = load_answerer(settings, on_progress=_say, writes_late=True)
    answer = answerer.answer(AnswerRequest(question, audience=audience))
    click.echo(card_json(answer) if as_json else wrap(render_card(answer), terminal_width()))


@click.command()
@audience_option
def chat(labels: tuple[str, ...]) -> None:
    """Ask one question after the other; follow-ups may point back.

    An empty line ends it. Ctrl-C stops the answer that is being written.
    """
    from retrieval.records import AnswerRequest, Message
    from retrieval.serving.live import load_live
    from retrieval.settings import load_settings

    settings = load_settings()
    audience = _audience(labels, settings)  # before a model is loaded for nothing
    live = load_live(settings, on_progress=_say)
    thread: list[Message] = []
    while question := _asked():
        request = AnswerRequest(question, history=thread, audience=audience)
        try:
            answer = _converse(live, request)
        except QuestionError as error:
            click.echo(f"{error}\n")
            continue
        thread += [Message("user", question), Message("assistant", answer.text)]


def _asked() -> str:
    """The next question; nothing at the end of the input or at Ctrl-C."""
    try:
        answer: str = click.prompt("", prompt_suffix="› ", default="", show_default=False)
    except click.Abort:
        click.echo()
        return ""
    return answer.strip()


@contextmanager
def stopped_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed in the block; pressed once more, it ends the program as ever."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _converse(live: Live, request: AnswerRequest) -> Answer:
    """Show the checked sentences as they come, then the rest of the card."""
    from rich.cells import cell_len

    from retrieval.answering.card import render_card, terminal_width, wrap

    shown, width = "", terminal_width()

    def show(text: str) -> None:
        nonlocal shown
        column = cell_len(click.unstyle(shown.rpartition("\n")[2]))
        wrapped = wrap(text, width, column=column)
        shown += wrapped
        click.echo(wrapped, nl=False)

    with stopped_by_ctrl_c() as should_stop:
        answer = live.answer(request, on_text=show, should_stop=should_stop)
    card = render_card(answer)
    click.echo(wrap(card.removeprefix(answer.text) if shown else card, width) + "\n")
    return answer


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--answers", is_flag=True, help="Also answer the questions: seconds for each.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many questions, evenly spread.")
def evaluate(folder: Path, answers: bool, limit: int | None) -> None:
    """Measure search, and with --answers answering, on the judged questions in FOLDER.

    FOLDER holds `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` in BEIR's format, plain or
    gzipped, and for --answers `answers.jsonl`: one object a line with _id, question, answers,
    unanswerable and doc_ids. Without `queries.jsonl` the questions of `answers.jsonl` are those
    that are searched for. The table is printed, and saved with every ranking and answer.
    """
    from retrieval.evaluation.dataset import read_dataset
    from retrieval.evaluation.evaluate import build_library, rank, reply, spread, summarise
    from retrieval.evaluation.report import save, table
    from retrieval.index.served_embedder import load_embedder
    from retrieval.serving.model_loader import load_answerer
    from retrieval.settings import load_settings

    settings = load_settings()
    dataset = read_dataset(folder)
    if not dataset.queries:
        raise DataError(f"{folder} has no questions: queries.jsonl, or answers.jsonl, has no line")
    if answers and not dataset.answers:
        raise DataError(
            f"{folder} has no questions to answer: answers.jsonl is not there, or empty"
        )
    embedder = load_embedder(settings, on_progress=_say)
    with progress_bar() as on_progress:
        library = build_library(dataset, settings, embedder, on_progress)
        rankings = rank(spread(dataset.queries, limit), library, on_progress)
        replies = []
        if answers:
            answerer = load_answerer(settings, library=library, on_progress=_say)
            replies = reply(spread(dataset.answers, limit), answerer.answer, on_progress)
    rows = summarise(dataset, rankings, replies)
    click.echo(table(rows))
    target = save(library.folder.parent, rows, rankings, replies)
    click.echo(f"every ranking and answer: {target}")


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is safe to mend, and say each thing done.")
def doctor(*, fix: bool) -> None:
    """Look for what is missing, and say how to mend it. Exit status 1 if something is."""
    from retrieval.doctor import whole

    marks = {"ok": click.style("✓", fg="green"), "warning": click.style("!", fg="yellow")}
    missing = click.style("✗", fg="red")
    is_well, fixable = True, 0
    for entry in sorted(entry_points(group=CHECKS), key=lambda entry: entry.value, reverse=True):
        for finding in whole(entry.load()):
            click.echo(f"{marks.get(finding.state, missing)} {finding.name}: {finding.found}")
            if fix and finding.fix is not None and _mended(finding.fix):
                continue
            if finding.state != "ok":
                click.echo(f"    → {finding.mend}")
            fixable += finding.fix is not None
            is_well = is_well and finding.state != "missing"
    if fixable and not fix:
        click.echo(f"`whimbrel doctor --fix` can mend {fixable} of these")
    sys.exit(0 if is_well else 1)


def _mended(fix: Callable[[], str]) -> bool:
    """Whether it could be mended; either way it is told."""
    from retrieval.errors import RetrievalError

    try:
        done = fix()
    except (RetrievalError, OSError) as error:
        click.echo(f"    not mended: {error}")
        return False
    click.echo(f"    mended: {done}")
    return True


@click.command()
@click.option(
    "--kind",
    type=click.Choice(["retriever", "reranker", "judge", "triage", "generator"]),
    default="retriever",
    show_default=True,
    help="What to go back with; a retriever goes back together with its index.",
)
@click.option("--reason", default="rolled back by hand", help="What the history of models says.")
def rollback(kind: ModelKind, reason: str) -> None:
    """Search the index as it was before the last change; once more goes forward again.

    With --kind, let the trained model serve again that served before, or the configured one.
    """
    from retrieval.registry.runs import roll_back
    from retrieval.settings import load_settings

    settings = load_settings()
    if kind == "retriever":
        _roll_back_index(settings, reason)
        return
    done = roll_back(settings.runs_folder, kind, reason=reason)
    click.echo(f"{done.after} serves as {kind} again, in place of {done.before}")


def _roll_back_index(settings: Settings, reason: str) -> None:
    from retrieval.index.manifest import MEND
    from retrieval.registry.runs import base_of, run_of
    from retrieval.serving.retriever import roll_back

    done = roll_back(settings, reason=reason)
    click.echo(f"searching {done.after.name} of {done.after.created} from the next question on")
    if done.relabelled:
        click.echo(f"documents for other people than then, as they are now: {done.relabelled}")
    if done.refused:
        click.echo(f"documents left out, as they may be meant for some alone: {done.refused}")
    before, after = done.embedder_before, done.after.recipe.embedder
    if done.changes is None:
        click.echo(f"{done.before} is damaged; {MEND} for a new one")
        return
    click.echo(f"documents: {_counts(done.changes)}")
    if base_of(after) != base_of(before):
        click.echo(f"it was made with {base_of(after)}: set WHIMBREL_EMBEDDER to that")
    elif after != before:
        click.echo(f"{run_of(after)} serves as retriever again, in place of {run_of(before)}")


def _audience(labels: tuple[str, ...], settings: Settings) -> frozenset[str]:
    """What may be searched.

    Raises:
        IndexNotFoundError: If there is no index.
        SettingsError: If neither a document nor the settings know a label.
    """
    from retrieval.index.store import index_store
    from retrieval.records import PUBLIC

    store = index_store(settings)
    store.served()
    if labels:
        found = {source.audience for source in store.sources()}
        known = {PUBLIC, *found, *settings.audiences.values()}
        for label in sorted({*labels} - known):
            guess = did_you_mean(label, known)
            raise SettingsError(f"no document has the audience label {label!r}{guess}")
    return frozenset({PUBLIC, *labels})


def _say(line: str) -> None:
    """Progress goes to standard error: standard output is for results."""
    click.secho(line, dim=True, err=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage on a terminal; a line for each stage elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        tasks: dict[str, object] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield update


@contextmanager
def _spoken_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A line every few seconds, for who follows a log."""
    said = time.monotonic()

    def update(stage: str, done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _SAID_EVERY_S:
            said = time.monotonic()
            _say(f"{stage}: {done} of {total}")

    yield update


def summary(report: IndexReport) -> str:
    """What an update of the index did, in a few lines; files that could not be read by name."""
    from retrieval.index.account import counted
    from retrieval.index.content import FAILURES, LEFT_OUT, SOURCES

    account, folder = report.account, report.folder
    lines = [
        f"{report.passages} passages, {report.embedded} of them new, in {report.seconds:.1f} s",
        f"documents: {_counts(report.changes)}",
        (
            f"files: {account.found} found: {account.read} read, {account.partial} read in part, "
            f"{account.refused} could not be read, {sum(account.left_out.values())} left out"
        ),
    ]
    if report.cells:
        lines.append(f"vectors: {report.cells}")
    if report.partial:
        lines.append(f"{counted('document was', len(report.partial))} read in part:")
        told = [f"{source.id}: {'; '.join(source.gaps)}" for source in report.partial]
        lines += _first(told, kept_in=folder / SOURCES)
    if report.failures:
        files = counted("file", len(report.failures))
        lines.append(f"{files} could not be read, as in {folder / FAILURES}:")
        lines += _first(_failed(report.failures), kept_in=folder / FAILURES)
    if account.left_out:
        kinds = ", ".join(counted(kind, count) for kind, count in account.left_out.items())
        lines.append(f"left out: {kinds}; all of them: {folder / LEFT_OUT}")
    if not report.passages:
        lines.append("No text was found to search: are these the folders that hold the documents?")
    return "\n".join(lines)


def _failed(failures: Sequence[Failure]) -> list[str]:
    """A line for each, what may be restricted first; many of unknown types are only counted."""
    from retrieval.documents.files import UNKNOWN_TYPE

    first = sorted(failures, key=lambda failure: not failure.is_restricted)
    told = [f"{failure.id}: {failure.reason}" for failure in first]
    types = Counter(f.reason for f in failures if f.reason.startswith(UNKNOWN_TYPE))
    if len(told) <= _SHOWN or not types:
        return told
    kinds = [
        f"{count} {reason.removeprefix(UNKNOWN_TYPE).strip(' ()')}"
        for reason, count in types.most_common()
    ]
    more = ", …" if len(kinds) > _SHOWN else ""
    counted = f"{types.total()} of types that are not read: {', '.join(kinds[:_SHOWN])}{more}"
    others = [f"{f.id}: {f.reason}" for f in first if not f.reason.startswith(UNKNOWN_TYPE)]
    return [counted, *others]


def _first(told: list[str], *, kept_in: Path) -> list[str]:
    more = [f"… and {len(told) - _SHOWN} more, in {kept_in}"] if len(told) > _SHOWN else []
    return [f"  {line}" for line in (*told[:_SHOWN], *more)]


def _counts(changes: Changes) -> str:
    return (
        f"{len(changes.added)} added, {len(changes.changed)} changed, "
        f"{len(changes.removed)} removed, {changes.unchanged} unchanged"
    )
