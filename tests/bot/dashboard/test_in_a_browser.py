"""The dashboard as people meet it: a real browser, its keyboard, its two themes."""

from __future__ import annotations

import asyncio
import re
from itertools import product
from pathlib import Path

import pytest

from bot.dashboard.server import MENU
from bot.dashboard.window import Window
from bot.settings import SlackSettings
from tests.browser import MISSING, chromium, is_there, prefer
from tests.dashboard_scene import ASKED, settings_in

CSS = (Path(__file__).parents[3] / "bot" / "dashboard" / "style.css").read_text()
READABLE = 4.5
"""The least contrast of text that WCAG 2.2 asks for at level AA."""


def look_around(address: str) -> dict[str, object]:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    seen: dict[str, object] = {}
    with chromium() as driver:
        driver.get(address)
        seen["landmarks"] = [
            len(driver.find_elements(By.TAG_NAME, name)) for name in ("header", "main", "footer")
        ]
        driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        seen["first stop"] = driver.switch_to.active_element.get_attribute("href")
        driver.switch_to.active_element.send_keys(Keys.ENTER)
        seen["skipped to"] = driver.switch_to.active_element.get_attribute("id")
        seen["charts"] = [
            chart.get_attribute("aria-label")
            for chart in driver.find_elements(By.CSS_SELECTOR, "svg[role=img]")
        ]
        for theme in ("light", "dark"):
            prefer(driver, theme)
            body = driver.find_element(By.TAG_NAME, "body")
            seen[theme] = body.value_of_css_property("background-color")
        pages = [path for path, name in MENU if name != "gaps"]
        origin = address.partition("/enter")[0]
        seen["headings"] = []
        for path in pages:
            driver.get(f"{origin}{path}")
            seen["headings"].append(driver.find_element(By.TAG_NAME, "h1").text)  # type: ignore[attr-defined]
        driver.get(f"{origin}/questions")
        rows = driver.find_elements(By.CSS_SELECTOR, "tbody tr")
        link = next(row for row in rows if ASKED[0] in row.text)
        link.find_element(By.TAG_NAME, "a").send_keys(Keys.ENTER)
        seen["steps"] = [step.text for step in driver.find_elements(By.CSS_SELECTOR, "ol h2")]
        driver.find_element(By.CSS_SELECTOR, "a.language").click()
        seen["language"] = driver.find_element(By.TAG_NAME, "html").get_attribute("lang")
        seen["complaints"] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return seen


@pytest.mark.slow
@pytest.mark.skipif(not is_there(), reason=MISSING)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # selenium's own sockets
async def test_a_person_can_read_it_all_with_keys_alone(
    tmp_path: Path, ids: dict[str, str]
) -> None:
    assert ids
    async with Window(settings_in(tmp_path), SlackSettings(health_port=0)) as window:
        seen = await asyncio.to_thread(look_around, window.address)
    assert seen["landmarks"] == [1, 1, 1]
    assert str(seen["first stop"]).endswith("#content")
    assert seen["skipped to"] == "content"
    assert seen["charts"] == [
        "Questions by day",
        "Share answered and found helpful, with 95% intervals",
    ]
    assert (seen["light"], seen["dark"]) == ("rgba(255, 255, 255, 1)", "rgba(26, 29, 33, 1)")
    assert seen["headings"] == [
        "Overview", "Sources", "Queue", "Models", "Questions", "Audit", "Review"
    ]  # fmt: skip
    assert seen["steps"] == ["Searched", "Found", "Judged", "Written", "Checked", "Dropped"]
    assert seen["language"] == "zh"
    assert seen["complaints"] == []


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    digits = "".join(d * 2 for d in colour) if len(colour) == 3 else colour
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(theme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[theme]
    colours = dict(re.findall(r"--(\w+): #(\w+)", block))
    texts = ("text", "grey", "link", "good", "bad", "warn")
    for text, behind in product(texts, ("page", "field")):
        dark, light = sorted(luminance(colours[name]) for name in (text, behind))
        assert (light + 0.05) / (dark + 0.05) >= READABLE, (text, behind)


def test_the_committed_pictures_are_small_and_there_for_both_themes() -> None:
    images = Path(__file__).parents[3] / "docs" / "images"
    for name, theme in product(("dashboard", "dashboard-way"), ("light", "dark")):
        size = (images / f"{name}-{theme}.png").stat().st_size
        assert 5_000 < size < 150_000
