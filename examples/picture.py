"""What Whimbrel looks like in Slack, as a picture: `python -m examples.picture docs/images`.

It asks two questions about the sample handbook as `examples.threads` does, and draws the messages
that the bot posts as SVG, once for a light page and once for a dark one. Which fonts there are
depends on who looks, so nothing but the end of a line follows from the width of letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

import click

from examples.rendering import Json, Piece, Run, pieces, runs
from examples.threads import CHANNELS, NAMES, Stage, on_stage
from tests.slack_server import BOT_USER

QUESTIONS = (
    "How many days of annual leave do I get?",
    "What is the wifi password of the Lisbon office?",
)
TIMES = ("9:41 AM", "10:05 AM")
AGE_S = 100 * 86_400
WIDTH, MARGIN, HEADER, GAP, AVATAR = 820, 20, 52, 14, 36
TOLERANCE = 1.06
"""How much wider than Helvetica a font may be without its lines running over."""

_EMS = {
    letter: ems
    for ems, letters in (
        (0.22, "ijl'"),
        (0.28, " !,./:;I[]ft·"),
        (0.34, "()-r“”"),
        (0.5, "cksvxyzJ"),
        (0.66, "ABEFKPSTVXYZ&"),
        (0.72, "CDHNRUw"),
        (0.82, "GOQmM"),
        (0.97, "W%@…"),
    )
    for letter in letters
}
_WORD = re.compile(r"\s+|[^\s\u2e80-\uffef]+|[\u2e80-\uffef]")
PLAIN, BOLD = frozenset[str](), frozenset({"bold"})
GAP_RUN = Run("   ", PLAIN)

THEMES = ("light", "dark")
COLOURS = {
    "page": ("#fff", "#1a1d21"),
    "text": ("#1d1c1d", "#d1d2d3"),
    "grey": ("#616061", "#a3a4a6"),
    "line": ("#ddd", "#35373b"),
    "edge": ("#b9b8ba", "#5c5e62"),
    "link": ("#1264a3", "#1d9bd1"),
    "pill": ("#e8f5fa", "#18313f"),
    "badge": ("#e8e8e8", "#3a3d42"),
}
STYLE = """
text {{ font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", Helvetica, Arial, "Noto Sans",
  "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; fill: {text} }}
.grey {{ fill: {grey} }} .link, .mention {{ fill: {link} }} .bold {{ font-weight: 700 }}
.italic {{ font-style: italic }} .code {{ font-family: ui-monospace, Menlo, Consolas, monospace }}
.middle {{ text-anchor: middle }} .white {{ fill: #fff }}
.page {{ fill: {page}; stroke: {line} }} .button {{ fill: none; stroke: {edge} }}
.line {{ fill: none; stroke: {line} }} .pill {{ fill: {pill} }} .badge {{ fill: {badge} }}
.icon {{ fill: none; stroke: {grey}; stroke-width: 1.5; stroke-linejoin: round }}
"""
BIRD = """<rect width="36" height="36" rx="8" fill="#1f6f78"/><path fill="#f4e9d8" d="M6 36
  c0-7 1.2-10.5 3.2-14 1.5-2.6.8-4.7.8-6.7a6.3 6.3 0 0 1 12.1-2.5
  c5.4 1.2 9.2 6.2 9.9 14.2-2.7-6.6-5.9-9.8-10.2-11.2-.3 2.7.9 4.7 2.2 7.2
  2 3.8 2.5 8 2.3 13z"/><circle cx="17.8" cy="12.8" r="1.3" fill="#1b2a2e"/>"""
THUMB = """M1 7.5h3v7h-3zM4 8l3-6.5c1.5 0 2.3 1 2 2.5l-.5 2.5h4c1.2 0 1.8.9 1.5 2
  l-1.3 4.7c-.3.9-.8 1.3-1.7 1.3h-7"""


@dataclass(frozen=True)
class Post:
    """A message with who wrote it and when, as Slack shows them."""

    author: str
    time: str
    message: Json

    @property
    def is_bot(self) -> bool:
        return self.author == NAMES[BOT_USER]


Thread = tuple[Post, Post]
"""A question and its answer."""


async def photograph(stage: Stage) -> list[Thread]:
    """Ask the questions; each with its answer."""
    return [
        (
            Post(NAMES["U1"], time, {"text": f"<@{BOT_USER}> {question}"}),
            Post(NAMES[BOT_USER], time, await stage.mention(question)),
        )
        for question, time in zip(QUESTIONS, TIMES, strict=True)
    ]


def picture(threads: Iterable[Thread], theme: str) -> str:
    """Threads of a channel as SVG, in one of `THEMES`."""
    canvas = Canvas(HEADER + GAP)
    for thread in threads:
        canvas.thread(thread)
    colours = {name: pair[THEMES.index(theme)] for name, pair in COLOURS.items()}
    channel = Run(CHANNELS["C1"].replace("#", "# "), BOLD)
    box = f'x=".5" y=".5" width="{WIDTH - 1}" height="{canvas.y - 1}" rx="12"'
    shapes = [
        "<title>Whimbrel answers in a Slack channel</title>",
        f"<style>{STYLE.format(**colours)}</style>",
        f'<rect class="page" {box}/>',
        text([channel], MARGIN, 33, 18),
        f'<path class="line" d="M0 {HEADER}.5H{WIDTH}"/>',
        *canvas.shapes,
    ]
    head = 'xmlns="http://www.w3.org/2000/svg" role="img"'
    size = f'width="{WIDTH}" height="{canvas.y}" viewBox="0 0 {WIDTH} {canvas.y}"'
    return "\n".join((f"<svg {head} {size}>", *shapes, "</svg>\n"))


class Canvas:
    """What has been drawn so far, and the height at which the next goes."""

    def __init__(self, y: int) -> None:
        self.y = y
        self.shapes: list[str] = []
        self._x = 2 * MARGIN + AVATAR + 10
        self._room = WIDTH - 2 * MARGIN - self._x

    def thread(self, thread: Thread) -> None:
        """A card with a question and the answer under it."""
        question, answer = thread
        top = self.y
        self.y += 16
        self.post(question)
        self.y += 22
        self.shapes += [
            text([Run("1 reply", PLAIN)], 2 * MARGIN, self.y + 5, 13, "grey"),
            f'<path class="line" d="M{2 * MARGIN + 52} {self.y}.5H{WIDTH - 2 * MARGIN}"/>',
        ]
        self.y += 20
        self.post(answer)
        self.y += 16
        size = f'width="{WIDTH - 2 * MARGIN}" height="{self.y - top}"'
        self.shapes.append(f'<rect class="line" x="{MARGIN}.5" y="{top}.5" {size} rx="10"/>')
        self.y += GAP

    def post(self, post: Post) -> None:
        """A message beside its author's picture."""
        author = [Run(post.author, BOLD)]
        x, baseline = self._x + round(measure(author, 15)) + 8, self.y + 13
        self.shapes.append(avatar(post, 2 * MARGIN, self.y))
        self.shapes.append(text(author, self._x, baseline, 15))
        if post.is_bot:
            box = f'x="{x}" y="{self.y + 1}" width="30" height="15" rx="3"'
            self.shapes.append(f'<rect class="badge" {box}/>')
            self.shapes.append(text([Run("APP", BOLD)], x + 15, self.y + 12, 10, "grey middle"))
            x += 38
        self.shapes.append(text([Run(post.time, PLAIN)], x, baseline, 12, "grey"))
        self.y += 15
        for piece in pieces(post.message):
            self.piece(piece)

    def piece(self, piece: Piece) -> None:
        """What a block shows; ValueError for what only modals and App Home have."""
        if piece.kind in ("text", "markdown"):
            for line in "\n".join(piece.texts).split("\n"):
                self.lines([list(runs(line, NAMES))], size=15, height=22, styles="")
        elif piece.kind == "context":
            self.y += 4
            elements = [list(runs(words, NAMES)) for words in piece.texts]
            self.lines(elements, size=13, height=20, styles="grey")
        elif piece.kind == "buttons":
            self.buttons(piece.texts)
        elif piece.kind == "votes":
            self.votes(*piece.texts)
        else:
            raise ValueError(f"a message with a block for {piece.kind} cannot be drawn")

    def lines(self, elements: Iterable[list[Run]], *, size: int, height: int, styles: str) -> None:
        """Text, broken into lines; several elements stand beside each other where they fit."""
        for line in wrapped(elements, size, self._room / TOLERANCE):
            self.y += height
            x = float(self._x)
            for is_mention, group in groupby(line, lambda run: "mention" in run.styles):
                line_runs = list(group)
                length = measure(line_runs, size)
                if is_mention:
                    box = f'x="{x - 2:.1f}" y="{self.y - 15}" width="{length + 4:.1f}" height="20"'
                    self.shapes.append(f'<rect class="pill" {box} rx="3"/>')
                fixed = length if is_mention else None
                self.shapes.append(text(line_runs, x, self.y, size, styles, length=fixed))
                x += length

    def buttons(self, labels: Iterable[str]) -> None:
        """Labels, each with a border around it."""
        self.y += 14
        x = self._x
        for label in labels:
            run = Run(label, BOLD)
            room = round(measure([run], 13) * TOLERANCE) + 24
            box = f'x="{x}.5" y="{self.y}.5" width="{room}" height="28" rx="8"'
            self.shapes.append(f'<rect class="button" {box}/>')
            self.shapes.append(text([run], x + room / 2, self.y + 19, 13, "middle"))
            x += room + 8
        self.y += 28

    def votes(self, good: str, bad: str) -> None:
        """The two thumbs with their labels."""
        self.y += 14
        x = self._x
        for label, turn in ((good, ""), (bad, " rotate(180 8 8)")):
            place = f"translate({x} {self.y})"
            self.shapes.append(f'<path class="icon" transform="{place}{turn}" d="{THUMB}"/>')
            run = Run(label, PLAIN)
            self.shapes.append(text([run], x + 23, self.y + 13, 13, "grey"))
            x += round(measure([run], 13) * TOLERANCE) + 43
        self.y += 17


def avatar(post: Post, x: int, y: int) -> str:
    """A bird for the bot, an initial for a person."""
    if post.is_bot:
        return f'<g transform="translate({x} {y})">{BIRD}</g>'
    square = f'<rect x="{x}" y="{y}" width="36" height="36" rx="8" fill="#b0503c"/>'
    initial = Run(post.author[0], BOLD)
    return square + text([initial], x + AVATAR / 2, y + 24, 17, "white middle")


def wrapped(elements: Iterable[list[Run]], size: int, room: float) -> Iterator[list[Run]]:
    """Lines of words; an element that does not fit beside the one before it begins a new line."""
    line: list[Run] = []
    for element in elements:
        words = [Run(word, run.styles) for run in element for word in _WORD.findall(run.text)]
        if line and measure([*line, GAP_RUN, *words], size) <= room:
            line += [GAP_RUN, *words]
            continue
        if line:
            yield line
        line = []
        for word in words:
            if line and measure([*line, word], size) > room:
                yield line
                line = []
            if line or not word.text.isspace():
                line.append(word)
    yield line


def measure(line: Iterable[Run], size: int) -> float:
    """How wide a line is in Helvetica, about; CJK characters are squares."""
    return size * sum(
        (1 if east_asian_width(letter) in "WF" else _EMS.get(letter, 0.556))
        * (1.06 if "bold" in run.styles else 1)
        for run in line
        for letter in run.text
    )


def text(
    line: Iterable[Run],
    x: float,
    y: int,
    size: int,
    styles: str = "",
    *,
    length: float | None = None,
) -> str:
    """Runs after each other, each in its styles, squeezed or spread to a length if there is one."""
    spans = "".join(
        f'<tspan class="{" ".join(sorted(run_styles))}">{letters}</tspan>'
        if run_styles
        else letters
        for run_styles, group in groupby(line, lambda run: run.styles)
        # Readers of SVG disagree on which spaces fall together; none of them touches these.
        for letters in [escape("".join(run.text for run in group)).replace(" ", "\u00a0")]
    )
    width = "" if length is None else f' textLength="{length:.1f}"'
    return f'<text class="{styles}" x="{x:g}" y="{y}" font-size="{size}"{width}>{spans}</text>'


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    threads = on_stage(photograph, age_s=AGE_S)
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        path = folder / f"exchange-{theme}.svg"
        path.write_text(picture(threads, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
