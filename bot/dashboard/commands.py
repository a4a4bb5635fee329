"""The sub-command `whimbrel dashboard`."""

from __future__ import annotations

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8091, show_default=True, help="Port; 0 lets the system choose.")
@click.option(
    "--show-text",
    is_flag=True,
    help="Show who looks what they may read themselves; else only what everybody may.",
)
def dashboard(host: str, port: int, *, show_text: bool) -> None:
    """Show in a browser how the bot does.

    Only this machine can look, with the address that is printed, until
    SLACK_DASHBOARD_OIDC_ISSUER names where people log in, or
    SLACK_DASHBOARD_HEADER the header in which a proxy says who looks.
    """
    import asyncio

    from bot.dashboard.window import Window
    from bot.serving import run_until_stopped
    from bot.settings import load_slack_settings, read_slack_settings
    from retrieval.settings import load_settings

    settings = load_settings()
    slack = read_slack_settings()
    if slack.names_viewers:
        slack = load_slack_settings()
    window = Window(settings, slack, host=host, port=port, shows_text=show_text)
    asyncio.run(
        run_until_stopped(
            window, on_start=lambda: click.echo(f"Open {window.address} ; Ctrl-C ends it.")
        )
    )
