"""What the dashboard looks like, as pictures: `python -m examples.window docs/images`.

It makes up a month of questions, and lets Chromium draw the overview, light and dark, and the way
of one question.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
from PIL import Image

from bot.dashboard.window import Window
from bot.settings import SlackSettings
from tests.browser import MISSING, chromium, is_there, prefer
from tests.dashboard_scene import ASKED, set_scene, settings_in

WIDTH, HEIGHT = 960, 1_290
COLOURS = 48
THEMES = ("light", "dark")


def photograph(address: str, pages: dict[str, str]) -> dict[str, bytes]:
    """Each page in each theme, by the name of its picture."""
    origin, found = address.partition("/enter")[0], {}
    with chromium(width=WIDTH, height=HEIGHT) as driver:
        driver.get(address)
        for theme in THEMES:
            prefer(driver, theme)
            for name, path in pages.items():
                driver.get(f"{origin}{path}")
                found[f"{name}-{theme}.png"] = driver.get_screenshot_as_png()
    return found


def small(png: bytes) -> bytes:
    """The picture with few colours."""
    buffer = io.BytesIO()
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS)
    few.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


async def pictures(home: Path) -> dict[str, bytes]:
    ids = set_scene(home, until=datetime.now(UTC))
    pages = {"dashboard": "/", "dashboard-way": f"/questions/{ids[ASKED[0]]}"}
    async with Window(settings_in(home), SlackSettings(health_port=0)) as window:
        return await asyncio.to_thread(photograph, window.address, pages)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    if not is_there():
        raise click.ClickException(MISSING)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        for name, png in asyncio.run(pictures(Path(home))).items():
            (folder / name).write_bytes(small(png))


if __name__ == "__main__":
    main()
