"""Charts as SVG, drawn by the server; their colours are in the style sheet, for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from bot.admin.report import Day, Rate

WIDTH, HEIGHT = 720, 200
LEFT, BOTTOM = 40, 24
TICKS = 8
PERCENTS = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class RatePoint:
    """A time and the rates of it, in the order of a chart's series."""

    label: str
    rates: tuple[Rate, ...]


def days_chart(days: Sequence[Day], *, title: str, answered: str, abstained: str) -> Markup:
    """A bar for each day, of what was answered and, on top, what was not."""
    most = max((day.answered + day.abstained for day in days), default=0) or 1
    shapes = [_level(value, most, str(value)) for value in sorted({0, -(-most // 2), most})]
    step = _room() / max(1, len(days))
    for n, day in enumerate(days):
        x, base = LEFT + n * step, _y(0, most)
        label = f"{day.date}: {day.answered} {answered}, {day.abstained} {abstained}"
        bars = []
        for kind, count in (("answered", day.answered), ("abstained", day.abstained)):
            height = count / most * (HEIGHT - BOTTOM - 10)
            base -= height
            bars.append(
                f'<rect class="{kind}" x="{x + step * 0.1:.1f}" y="{base:.1f}"'
                f' width="{step * 0.8:.1f}" height="{height:.1f}"/>'
            )
        shapes.append(f"<g><title>{escape(label)}</title>{''.join(bars)}</g>")
    dates = [day.date[5:] for day in days]
    return _svg(title, [*shapes, *_below(dates, step)])


def rates_chart(points: Sequence[RatePoint], *, title: str, series: Sequence[str]) -> Markup:
    """The rates of each time with their intervals; a time without any has none."""
    shapes = [_level(value / 100, 1, f"{value}%") for value in PERCENTS]
    step = _room() / max(1, len(points))
    for n, point in enumerate(points):
        for m, (name, rate) in enumerate(zip(series, point.rates, strict=True)):
            if rate.n:
                x = LEFT + (n + (m + 1) / (len(series) + 1)) * step
                label = f"{point.label}, {name}: {interval(rate)} (n={rate.n})"
                shapes.append(_whiskers(f"series{m}", x, rate, label))
    return _svg(title, [*shapes, *_below([point.label for point in points], step)])


def interval(rate: Rate) -> str:
    """A rate with its interval, for people; a dash for one of nothing."""
    return f"{rate.share:.0%} ({rate.low:.0%}–{rate.high:.0%})" if rate.n else "–"


def _whiskers(kind: str, x: float, rate: Rate, label: str) -> str:
    low, middle, high = (_y(value, 1) for value in (rate.low, rate.share, rate.high))
    return (
        f'<g class="{kind}"><title>{escape(label)}</title>'
        f'<path d="M{x:.1f} {low:.1f}V{high:.1f}m-4 0h8M{x - 4:.1f} {low:.1f}h8"/>'
        f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="4"/></g>'
    )


def _level(value: float, most: float, label: str) -> str:
    y = _y(value, most)
    return (
        f'<path class="level" d="M{LEFT} {y:.1f}H{WIDTH}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    )


def _below(labels: Sequence[str], step: float) -> list[str]:
    every = max(1, -(-len(labels) // TICKS))
    return [
        f'<text x="{LEFT + (n + 0.5) * step:.1f}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for n, label in enumerate(labels)
        if n % every == 0
    ]


def _room() -> float:
    return float(WIDTH - LEFT)


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - 10)


def _svg(title: str, shapes: Sequence[str]) -> Markup:
    head = f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {HEIGHT}"'
    inner = "".join(shapes)
    # Every text is escaped where it is put in.
    return Markup(f'{head} aria-label="{escape(title)}">{inner}</svg>')  # noqa: S704
