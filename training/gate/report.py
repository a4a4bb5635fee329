"""Writes down what the gate decided: for people, for machines, and as a picture.

What people asked, and what was answered, stands in a file of its own, which goes when the run is
retired.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from retrieval.errors import DataError
from retrieval.markdown import quoted
from retrieval.registry.rounds import PICTURE
from retrieval.registry.runs import CHANGES
from training.gate.comparison import least_gain
from training.gate.decision import GateDecision, Guard, QuestionChange

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKDOWN, JSON = "gate.md", "gate.json"

_DECISIONS = TypeAdapter(GateDecision)


def save(folder: Path, decision: GateDecision, *, title: str) -> None:
    """Write `gate.md`, `gate.json`, `gate.png` and `changes.md` into a folder."""
    (folder / MARKDOWN).write_text(markdown(decision, title=title), encoding="utf-8")
    (folder / CHANGES).write_text(changes(decision.changes), encoding="utf-8")
    facts = {"is_passed": decision.is_passed, **asdict(replace(decision, changes=()))}
    (folder / JSON).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    draw(folder / PICTURE, decision, title=title)


def load(folder: Path) -> GateDecision:
    """The decision that `save` wrote into a folder.

    Raises:
        DataError: If there is none.
    """
    try:
        return _DECISIONS.validate_json((folder / JSON).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{folder} holds no report of the gate") from error


def overrule(folder: Path, reason: str) -> GateDecision:
    """Stop a candidate that was passed when it was looked at by itself; the decision as it is now.

    The reason is added to the report.
    """
    path = folder / JSON
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts |= {"is_passed": False, "reasons": [*facts["reasons"], reason]}
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    with (folder / MARKDOWN).open("a", encoding="utf-8") as file:
        file.write(f"\nNot published after all: {reason}.\n")
    return load(folder)


def verdict(decision: GateDecision) -> str:
    """What was decided, in a sentence or two."""
    if decision.is_passed:
        return f"Passed: {decision.wanted} on held-out questions, and worse nowhere."
    if decision.is_no_difference and decision.wanted == "better":
        return "Not published: no difference on any held-out question."
    text = f"Not published: {'; '.join(decision.reasons)}."
    if decision.more_questions:
        text += (
            f" About {decision.more_questions} more held-out questions would settle a gain like"
            " this one."
        )
    return text


def markdown(decision: GateDecision, *, title: str) -> str:
    """The report as Markdown."""
    return "\n".join([*_lines(decision, title), ""])


def _lines(decision: GateDecision, title: str) -> Iterator[str]:
    found = decision.comparison
    yield f"# {title}"
    yield ""
    yield verdict(decision)
    yield ""
    yield "| held-out questions | served | candidate | gain | 95 % bounds | better / worse | p |"
    yield "|---|---|---|---|---|---|---|"
    yield (
        f"| {found.questions} | {found.baseline:.3f} | {found.candidate:.3f} | {found.gain:+.3f} "
        f"| {found.low:+.3f} to {found.high:+.3f} | {found.wins} / {found.losses} "
        f"| {decision.p:.2g} |"
    )
    yield ""
    yield (
        "The bounds are one-sided, from a paired bootstrap; p is the exact sign test's, corrected"
        " for the number of candidates."
    )
    yield from _power(decision)
    yield ""
    yield "| must not get worse | questions | served | candidate | |"
    yield "|---|---|---|---|---|"
    for guard in decision.guards:
        yield (
            f"| {guard.name} | {guard.questions} | {guard.served:.3g} | {guard.candidate:.3g} "
            f"| {'held' if guard.is_held else '**stops it**'} |"
        )
    if decision.outdated:
        yield ""
        yield (
            f"{decision.outdated} questions of the regression set were left out: their documents"
            " have changed."
        )
    if decision.changes:
        yield ""
        yield f"`{CHANGES}` shows questions that were won and lost."


def _power(decision: GateDecision) -> Iterator[str]:
    """How the questions were had, and what so many can show."""
    questions = decision.comparison.questions
    yield f"With {questions} questions a gain under {least_gain(questions):.2f} cannot be shown."
    if decision.cross_fitted:
        yield (
            f"{decision.cross_fitted} of them were learned from, too: each was tried with a fit"
            " that had seen neither it nor any question like it."
        )


def changes(changed: Sequence[QuestionChange]) -> str:
    """The questions that were won, then those that were lost, as Markdown."""
    better, worse = [c for c in changed if c.gain > 0], [c for c in changed if c.gain < 0]
    return "\n".join([*_listed("Better", better), *_listed("Worse", worse), ""])


def _listed(title: str, some: Sequence[QuestionChange]) -> Iterator[str]:
    yield f"# {title}"
    yield ""
    if not some:
        yield "No question."
        yield ""
    for change in some:
        yield f"- {quoted(change.question)}: {change.served:.2f} → {change.candidate:.2f}"
        for name, said in zip(("served", "candidate"), change.said, strict=True):
            if said is not None:
                yield f"  - {name}: {quoted(said)}"
        yield ""


def draw(path: Path, decision: GateDecision, *, title: str) -> None:
    """Draw the gain with its bounds, and each guard before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 0.35 * max(3, len(decision.guards))), layout="constrained")
    figure.suptitle(title)
    gain, guards = figure.subplots(1, 2, width_ratios=(1, 2))
    _draw_gain(gain, decision)
    _draw_guards(guards, decision.guards)
    figure.savefig(path, dpi=120)


def _draw_gain(axes: Axes, decision: GateDecision) -> None:
    found = decision.comparison
    colour = "tab:green" if found.low > 0 else "tab:red"
    reach = [[max(0.0, found.gain - found.low)], [max(0.0, found.high - found.gain)]]
    axes.errorbar([0], [found.gain], yerr=reach, fmt="o", color=colour, capsize=6)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_xticks([])
    axes.set_ylabel("gain, with one-sided 95 % bounds", fontsize=8)
    axes.set_title(f"{found.questions} held-out questions", fontsize=9)


def _draw_guards(axes: Axes, guards: tuple[Guard, ...]) -> None:
    """Each guard in a scale of its own: what serves as a ring, the candidate as a dot."""
    for place, guard in enumerate(reversed(guards)):
        most = max(abs(guard.served), abs(guard.candidate)) or 1.0
        colour = "tab:green" if guard.is_held else "tab:red"
        ends = [guard.served / most, guard.candidate / most]
        axes.plot(ends, [place, place], color=colour, linewidth=1)
        axes.plot(ends[:1], [place], "o", color="grey", fillstyle="none", markersize=8)
        axes.plot(ends[1:], [place], "o", color=colour, markersize=5)
        told = f"{guard.served:.3g} → {guard.candidate:.3g}"
        axes.text(1.08, place, told, color=colour, fontsize=8, va="center")
    names = [f"{guard.name} ({guard.questions})" for guard in reversed(guards)]
    axes.set_yticks(range(len(guards)), names, fontsize=8)
    axes.set_xticks([0, 0.5, 1], ["0", "half", "larger of both"], fontsize=8)
    axes.set_xlim(-0.05, 1.45)
    axes.set_title("must not get worse: served as ring, candidate as dot", fontsize=9)
