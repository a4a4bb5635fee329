"""`whimbrel workspaces`: several workspaces in one installation, each with a home of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.settings import SlackSettings
    from bot.workspaces.places import Place
    from retrieval.settings import Settings

# Everything else is imported where it is used: `whimbrel --help` asks every command for its help.


@click.group()
def workspaces() -> None:
    """Serve several workspaces of Slack, each with its own documents, log and models.

    Needs SLACK_CLIENT_ID and SLACK_CLIENT_SECRET.
    """


@workspaces.command()
@click.option(
    "--port", default=3000, show_default=True, help="Port for installing and, in HTTP mode, Slack."
)
@click.option("--host", default="0.0.0.0", show_default=True, help="Address for that.")  # noqa: S104 - Slack must reach it; deliveries are signed
def serve(port: int, host: str) -> None:
    """Serve every workspace that has the app, and take new ones, until stopped.

    It is installed at /slack/install. Needs SLACK_APP_TOKEN for Socket Mode, or
    SLACK_SIGNING_SECRET for HTTP. With --port 0 the port is printed that the system has chosen.
    """
    import asyncio

    from bot.settings import load_app_settings
    from bot.workspaces.places import shared_environment
    from retrieval.errors import BusyError
    from retrieval.logs import set_up_logs
    from retrieval.registry.folders import building
    from retrieval.settings import load_settings

    slack, settings = load_app_settings(), load_settings()
    shared = shared_environment(settings, slack)
    set_up_logs(settings, level="info")
    try:
        with building(settings.home / "workspaces"):
            asyncio.run(_serve(slack, settings, shared, host=host, port=port))
    except BusyError as error:
        raise BusyError(f"workspaces are served from {settings.home} already") from error


@workspaces.command("list")
def list_() -> None:
    """Tell which workspaces there are, and where the files of each are."""
    from bot.settings import load_app_settings
    from bot.workspaces.installed import Installed, lines
    from retrieval.settings import load_settings

    for line in lines(Installed(load_settings(), load_app_settings())):
        click.echo(line)


@workspaces.command(context_settings={"allow_interspersed_args": False})
@click.argument("team")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(team: str, command: tuple[str, ...]) -> None:
    """Run a COMMAND of whimbrel, such as `index`, for the workspace TEAM in its folder."""
    import os

    from bot.settings import read_slack_settings
    from bot.workspaces.places import shared_environment
    from retrieval.cli import PROGRAM
    from retrieval.settings import load_settings

    settings = load_settings()
    place = _existing(settings, team)
    environment = place.environment(shared_environment(settings, read_slack_settings()))
    os.chdir(place.folder)
    os.execve(PROGRAM[0], [*PROGRAM, *command], environment)  # noqa: S606 - ourselves


@workspaces.command()
@click.argument("team")
@click.confirmation_option(prompt="Nothing brings it back. Delete it?")
def forget(team: str) -> None:
    """Delete all that is kept of the workspace TEAM, which the app was removed from."""
    import shutil

    from bot.settings import load_app_settings
    from bot.workspaces.installed import Installed
    from retrieval.errors import BusyError, DataError
    from retrieval.settings import load_settings

    settings = load_settings()
    place = _existing(settings, team)
    if place.folder.is_symlink():
        raise DataError(f"{place.folder} is a link; delete what it leads to, and then the link")
    # Another app's id in SLACK_CLIENT_ID knows no token of a workspace that is being served.
    if place.token_file.exists() or Installed(settings, load_app_settings()).token(team):
        raise BusyError(f"the app is installed in {team}; remove it there first")
    shutil.rmtree(place.folder)
    click.echo(f"{place.folder} is deleted")
    for name in ("database", "index"):
        if getattr(settings, name) is not None:
            click.echo(
                f"what it has in the Postgres of WHIMBREL_{name.upper()} stays: drop it there"
            )


def _existing(settings: Settings, team: str) -> Place:
    from bot.workspaces.places import Place
    from retrieval.errors import DataError

    place = Place(settings.home, team)
    if not place.folder.is_dir():
        raise DataError(
            f"no workspace {team} here; `whimbrel workspaces list` tells which there are"
        )
    return place


async def _serve(
    slack: SlackSettings, settings: Settings, shared: Mapping[str, str], *, host: str, port: int
) -> None:
    from bot.serving import run_until_stopped
    from bot.workspaces.front import Front
    from bot.workspaces.installed import Installed
    from bot.workspaces.processes import BotProcess

    def start(place: Place) -> BotProcess:
        return BotProcess(place.folder, place.environment(shared))

    front = Front(slack, Installed(settings, slack), start, host=host, port=port)

    def tell() -> None:
        if port == 0:
            click.echo(front.port)

    await run_until_stopped(front, on_start=tell)
