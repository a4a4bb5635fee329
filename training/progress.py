"""How training's commands say what they are doing."""

from __future__ import annotations

import click


def say(line: str, *_: int) -> None:
    """Tell it on the standard error, dimly."""
    click.secho(line, dim=True, err=True)
