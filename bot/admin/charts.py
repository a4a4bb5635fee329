"""The report's pictures, as PNG. Their text is ASCII: fonts without Chinese are everywhere."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from bot.admin.report import Rate, Report
from bot.slack.outgoing.outbox import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ANSWERED, ABSTAINED, RATE = "#2a7f62", "#d9a441", "#33658a"
MOST_TICKS = 8


def draw(report: Report) -> tuple[Picture, ...]:
    """The questions by day, and the rates with their intervals."""
    questions, rates = _figure(), _figure()
    _draw_days(questions.add_subplot(), report)
    _draw_rates(rates.add_subplot(), report)
    total = report.total
    return (
        Picture(
            "questions.png",
            f"Questions by day: {total.questions} in {report.days} days",
            _png(questions),
        ),
        Picture(
            "rates.png",
            f"Answered {total.answered.share:.0%}, rated helpful {total.helpful.share:.0%}",
            _png(rates),
        ),
    )


def _figure() -> Figure:
    from matplotlib.figure import Figure

    # Not through pyplot, which keeps every figure and belongs to one thread.
    return Figure(figsize=(8, 3.6), dpi=120, layout="constrained")


def _draw_days(axes: Axes, report: Report) -> None:
    days = range(len(report.daily))
    answered = [day.answered for day in report.daily]
    axes.bar(days, answered, color=ANSWERED, label="answered")
    abstained = [day.abstained for day in report.daily]
    axes.bar(days, abstained, bottom=answered, color=ABSTAINED, label="not answered")
    step = -(-len(report.daily) // MOST_TICKS)
    axes.set_xticks(days[::step], [day.date[5:] for day in report.daily[::step]])
    axes.locator_params(axis="y", integer=True)
    axes.set_title(f"Questions by day, {report.days} days to {report.until[:10]} (UTC)", loc="left")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
    _tidy(axes)


def _draw_rates(axes: Axes, report: Report) -> None:
    rows = [("all", report.total), *report.languages.items()]
    bars: list[tuple[str, Rate]] = []
    for name, figures in rows:
        bars += [(f"answered, {name}", figures.answered), (f"helpful, {name}", figures.helpful)]
    positions = range(len(bars))
    for position, (_, rate) in zip(positions, bars, strict=True):
        if rate.n:
            errors = [[rate.share - rate.low], [rate.high - rate.share]]
            axes.errorbar(rate.share, position, xerr=errors, fmt="o", color=RATE, capsize=4)
    axes.set_yticks(positions, [f"{name} (n={rate.n})" for name, rate in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_title("Rates with 95% intervals", loc="left")
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
