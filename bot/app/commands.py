"""The bot's sub-commands."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.admin.reindex import Reindexer
    from bot.app.parts import Engine, LongJobs
    from bot.settings import ApiSettings, SlackSettings
    from bot.slack.audience import Holdings
    from retrieval.index.building import IndexReport
    from retrieval.index.library import Library
    from retrieval.progress import Progress
    from retrieval.serving.installation import Installation
    from retrieval.serving.live import Live
    from retrieval.settings import Settings

logger = logging.getLogger(__name__)


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port for Slack in HTTP mode.")
@click.option("--host", default="0.0.0.0", show_default=True, help="Address for HTTP mode.")  # noqa: S104 - Slack must reach it; deliveries are signed
@click.option("--behind", "is_behind", is_flag=True, hidden=True)
def serve(port: int, host: str, *, is_behind: bool) -> None:
    """Answer questions in Slack until stopped.

    Needs SLACK_BOT_TOKEN and, for Socket Mode, SLACK_APP_TOKEN; or SLACK_SIGNING_SECRET for HTTP.
    With --port 0 the port is printed that the system has chosen.
    """
    import asyncio

    from bot.settings import load_api_settings, load_slack_settings
    from retrieval import tracing
    from retrieval.logs import set_up_logs
    from retrieval.settings import load_settings

    slack, settings = load_slack_settings(with_door=True), load_settings()
    set_up_logs(settings, level="info", team=slack.only_team)
    if tracing.is_wanted():
        tracing.start()
    serving = _serve(
        slack,
        load_api_settings(),
        settings,
        host=host,
        port=port,
        is_behind=is_behind,
    )
    asyncio.run(serving)


@click.command()
def api() -> None:
    """Answer questions over HTTP until stopped, without Slack; `serve` does both.

    Keys are made with `whimbrel keys create`.
    """
    import asyncio

    from bot.settings import load_api_settings, read_slack_settings
    from retrieval.logs import set_up_logs
    from retrieval.settings import load_settings

    # Of [slack] it takes what is redacted and how long things are kept.
    slack, settings = read_slack_settings(), load_settings()
    set_up_logs(settings, level="info")
    asyncio.run(_api(load_api_settings(), slack, settings))


@click.command()
@click.option("--http", is_flag=True, help="Over HTTP at the API's address; each call has a key.")
def mcp(http: bool) -> None:
    """Give agents the tools `search` and `ask`, over standard input and output.

    It asks with the key in WHIMBREL_API_KEY and sees what that sees. Needs the extra `mcp`.
    """
    import asyncio

    from bot.settings import load_api_settings, read_slack_settings, secret
    from retrieval.errors import SettingsError
    from retrieval.logs import set_up_logs
    from retrieval.settings import load_settings

    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "`whimbrel mcp` needs more: pip install --constraint constraints.txt '.[mcp]'"
        ) from error
    slack, api = read_slack_settings(), load_api_settings()
    if not http and not secret(api.key).strip():
        raise SettingsError(
            "WHIMBREL_API_KEY is not set; make a key with `whimbrel keys create NAME`"
        )
    settings = load_settings()
    set_up_logs(settings)
    asyncio.run(_mcp(api, slack, settings, over_http=http))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="All of it, as JSON.")
def status(*, as_json: bool) -> None:
    """Tell on one screen what serves and how it goes; the bot may go on serving."""
    import json

    from bot.app.status import lines_of, read_status
    from retrieval.settings import load_settings

    found = read_status(load_settings())
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines_of(found)))


@click.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder for report.md, report.json and the pictures.",
)
@click.option("--all-questions", is_flag=True, help="Also those that fewer than 3 people asked.")
def report(days: int, out: Path, all_questions: bool) -> None:
    """Tell how well questions are answered, and which are not."""
    from datetime import UTC, datetime

    from bot.admin.report_files import save_report
    from bot.admin.reporting import make_report
    from bot.store.opening import has_database, open_database, place_of
    from bot.store.period import read_period
    from retrieval.errors import DataError
    from retrieval.index.library import Library
    from retrieval.index.served_embedder import load_embedder
    from retrieval.records import PUBLIC
    from retrieval.serving.installation import Installation
    from retrieval.settings import load_settings

    settings = load_settings()
    if not has_database(settings):
        raise DataError(f"no questions in {place_of(settings)}; `whimbrel serve` keeps them there")
    database = open_database(settings)
    try:
        period = read_period(database, days=days, until=datetime.now(UTC))
    finally:
        database.close()
    installation = Installation(Library(settings, load_embedder(settings)))
    # A file goes from hand to hand.
    readers = frozenset({PUBLIC})
    made = make_report(period, installation, readers=readers, tells_all=all_questions)
    click.echo(save_report(made, out))


def _named(sources: Iterable[str]) -> str:
    return f"the sources {', '.join(sources)}"


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="age1...",
    help="Encrypt it, so that only who has the key of this name of age can read it.",
)
def backup(file: Path, recipients: tuple[str, ...]) -> None:
    """Copy what people asked, what was learned and the index into FILE, verified.

    The bot may go on serving. In a folder, by default this one, its name is the date and time.
    """
    from datetime import UTC, datetime

    from bot.app.backup import back_up
    from retrieval.settings import load_settings

    if file.is_dir():
        suffix = ".tar.age" if recipients else ".tar"
        file /= f"whimbrel-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{suffix}"
    settings = load_settings()
    contents = back_up(settings, file, recipients=recipients)
    click.echo(f"{file}: {len(contents.files)} files, verified")
    if settings.sources:
        click.echo(
            f"not in it: what was read of {_named(settings.sources)}; `whimbrel sync` reads it anew"
        )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--identity",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="The file with the secret key, for a backup that is encrypted.",
)
@click.option("--verify", is_flag=True, help="Only tell whether the backup is whole.")
@click.option("--replace", is_flag=True, help="Move aside what is there already.")
def restore(file: Path, identity: Path | None, *, verify: bool, replace: bool) -> None:
    """Put back what `whimbrel backup` copied into FILE, once all of it is verified.

    Stop the bot first.
    """
    from bot.app import backup as backups
    from retrieval.settings import load_settings

    if verify:
        contents = backups.verify(file, identity=identity)
        click.echo(
            f"{file}: {len(contents.files)} files of {contents.made}, "
            f"release {contents.release}, all as they were written"
        )
        return
    settings = load_settings()
    restored = backups.restore(settings, file, identity=identity, replaces=replace)
    click.echo(f"{settings.home} is as it was in {file}")
    if restored.forgotten:
        click.echo(
            f"forgotten again, as since it was made: {restored.forgotten} people;"
            " its tables are of this release now"
        )
    if restored.relabelled:
        click.echo(f"documents for other people than then, as they are now: {restored.relabelled}")
    if restored.left_out:
        click.echo(
            "documents left out until the next `whimbrel index` or `whimbrel sync`, as they may be"
            f" meant for some alone: {restored.left_out}"
        )
    if settings.sources:
        click.echo(f"run `whimbrel sync` before the bot serves {_named(settings.sources)}")
    if restored.aside is not None:
        click.echo(f"what was there before is in {restored.aside}; `whimbrel purge` deletes it")


@click.command()
@click.argument("direction", type=click.Choice(["to-postgres", "to-file"]))
def migrate(direction: str) -> None:
    """Copy all that the bot keeps between its file and the Postgres of WHIMBREL_DATABASE.

    Stop every bot first. The target must be empty; what was broken off is gone on with. Every row
    is compared, and the source stays as it is.
    """
    from bot.app.migrating import to_file, to_postgres
    from retrieval.commands import progress_bar
    from retrieval.settings import load_settings

    settings = load_settings()
    with progress_bar() as on_progress:
        copy = to_postgres if direction == "to-postgres" else to_file
        counts = copy(settings, on_progress=on_progress)
    for table, count in counts.items():
        if count:
            click.echo(f"{table}: {count} rows, the same on both sides")
    if direction == "to-postgres":
        click.echo(
            f"{settings.database_file} is as it was: who is forgotten from now on is in it still,"
            " so delete it soon"
        )
    else:
        click.echo(f"{settings.database_file} is whole; unset WHIMBREL_DATABASE to serve from it")


@click.command()
@click.argument("user")
def audience(user: str) -> None:
    """Tell which labels a person holds in private, and why.

    USER is the person's id in Slack, which is asked. In Slack, `/whimbrel access` tells more.
    """
    import asyncio

    from bot.settings import load_slack_settings
    from retrieval.settings import load_settings

    for line in asyncio.run(_audience(load_slack_settings(), load_settings(), user)):
        click.echo(line)


def make_reindexer(settings: Settings, library: Library) -> Reindexer:
    """What `/whimbrel reindex` runs: it brings the folders of the last `whimbrel index` in."""
    from retrieval.index.building import update_index

    def reindex(*, full: bool, on_progress: Progress) -> IndexReport:
        embedder = library.following()
        return update_index((), settings, embedder, full=full, on_progress=on_progress)

    return reindex


async def _audience(slack: SlackSettings, settings: Settings, user: str) -> list[str]:
    import aiohttp

    from bot.admin.access import explained
    from bot.slack.outgoing.reaching import SlackUnreachableError
    from bot.slack.workspace import log_in
    from bot.strings import strings_for
    from retrieval.errors import DataError

    async with aiohttp.ClientSession() as session:
        held = held_at_sources(settings)
        workspace = await log_in(slack, session, held_at_sources=held)
        try:
            return await explained(workspace.audiences, user, strings_for("en"))
        except SlackUnreachableError as error:
            raise DataError(f"Slack does not say who {user} is: {error}; try later") from error


async def _serve(
    slack: SlackSettings,
    api: ApiSettings,
    settings: Settings,
    *,
    host: str,
    port: int,
    is_behind: bool,
) -> None:
    from bot.app.bot import Bot
    from bot.serving import run_until_stopped
    from bot.store.opening import address_of

    engine, jobs = await _loaded(settings)
    file, address = settings.database_file, address_of(settings)
    bot = Bot(
        slack,
        file,
        engine,
        jobs,
        address=address,
        host=host,
        port=port,
        api=api,
        is_behind=is_behind,
    )

    def tell() -> None:
        if port == 0 and slack.mode == "http":
            click.echo(bot.port)

    await run_until_stopped(bot, on_start=tell, until_input_ends=is_behind)


async def _api(api: ApiSettings, slack: SlackSettings, settings: Settings) -> None:
    from bot.app.api import ApiServer
    from bot.serving import run_until_stopped
    from bot.store.opening import address_of

    engine, jobs = await _loaded(settings)
    file, address = settings.database_file, address_of(settings)
    await run_until_stopped(ApiServer(api, slack, file, engine, jobs.syncer, address=address))


async def _mcp(
    settings: ApiSettings, slack: SlackSettings, retrieval: Settings, *, over_http: bool
) -> None:
    from contextlib import closing

    from bot.app.agents import serve_agents
    from bot.store.opening import open_database

    engine, _ = await _loaded(retrieval)
    with closing(open_database(retrieval, redactor=slack.redactor)) as database:
        await serve_agents(settings, slack, database, engine, over_http=over_http)


async def _loaded(settings: Settings) -> tuple[Engine, LongJobs]:
    """What answers, and what takes minutes, once the models are loaded."""
    import asyncio

    from retrieval.serving.live import load_live

    live = await asyncio.to_thread(load_live, settings, on_progress=logger.info)
    engine = make_engine(live)
    await asyncio.to_thread(_take_back, engine.installation)
    return engine, make_jobs(settings, live.library)


def make_engine(live: Live) -> Engine:
    """What answers, and what is answered from, as it is installed here."""
    from bot.app.parts import Engine
    from bot.review.document_lookup import DocumentLookup
    from retrieval.serving.installation import Installation

    settings = live.library.settings
    installation, held = Installation(live.library, live.models), held_at_sources(settings)
    return Engine(live, DocumentLookup(live), installation, live, settings.links, held)


def held_at_sources(settings: Settings) -> Holdings:
    """Tells what sources give to whom, as they were synced last."""
    from functools import partial

    from retrieval.sources.mirror import labels_held

    return partial(labels_held, settings.sources_folder)


def make_jobs(settings: Settings, library: Library) -> LongJobs:
    """What admins start: it brings in folders of the last `whimbrel index`, learns, asks again."""
    from bot.admin.learner import LearningProcess
    from bot.admin.replaying import Replayer
    from bot.admin.syncing import SyncProcess
    from bot.app.parts import LongJobs

    reindexer = make_reindexer(settings, library)
    return LongJobs(reindexer, LearningProcess(settings), Replayer(settings), SyncProcess(settings))


def _take_back(installation: Installation) -> None:
    """Finish what a crash or a busy index has left of forgetting somebody."""
    from retrieval.errors import RetrievalError

    try:
        installation.take_back()
    except RetrievalError as error:
        logger.warning("not looked for retired models: %s", error)
