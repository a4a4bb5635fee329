"""The report in words: a card for Slack, a line for App Home, Markdown for a file."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk.models.blocks import Block, HeaderBlock, MarkdownTextObject, SectionBlock

from bot.admin.admin_cards import account_line, deployment_line, shortened
from bot.admin.gaps import Gap
from bot.admin.report import CitedSource, Era, Figures, OutdatedSource, Rate, Report
from bot.slack.outgoing.cards import Card, escape, notice
from bot.strings import Strings, strings_for
from retrieval.answering.sanitise import sanitise_words

GAPS_SHOWN = 8
ERAS_SHOWN = 5
QUESTION_CHARS = 200
TITLE_CHARS = 100
ID_CHARS = 60
PART_CHARS = 2_300
"""Slack takes 3,000 in a section and about 13,200 in all blocks."""


def report_card(report: Report, strings: Strings) -> Card:
    """The report as one message."""
    title = strings.report.title.format(days=report.days)
    if is_empty(report):
        return notice(strings.report.empty.format(days=report.days))
    values = figure_lines(report, strings)
    fields = [f"*{label}*\n{value}" for label, value in values.items()]
    blocks: list[Block] = [HeaderBlock(text=title), SectionBlock(fields=fields)]
    for heading, lines in parts(report, strings):
        text = f"*{heading}*"
        for line in lines:
            longer = f"{text}\n• {escape(line)}"
            text = longer if len(longer) <= PART_CHARS else text
        blocks.append(SectionBlock(text=MarkdownTextObject(text=text)))
    return Card(f"{title}: {summary(report, strings)}", tuple(blocks))


def summary(report: Report, strings: Strings) -> str:
    """The report in one sentence."""
    total = report.total
    if is_empty(report):
        return strings.report.empty.format(days=report.days)
    return strings.report.summary.format(
        days=report.days,
        questions=total.questions,
        people=total.people,
        answered=_share(total.answered, strings),
        helpful=_share(total.helpful, strings),
    )


def report_markdown(report: Report) -> str:
    """The report as a Markdown file in English, which shows the pictures beside it."""
    strings = strings_for("en")
    lines = [f"# {strings.report.title.format(days=report.days)}", ""]
    if is_empty(report):
        return "\n".join([*lines, strings.report.empty.format(days=report.days), ""])
    lines += [f"Until {report.until}.", "", "| | |", "|---|---|"]
    lines += [f"| {k} | {v} |" for k, v in figure_lines(report, strings).items()]
    lines += ["", "![Questions by day](questions.png)", "", "![Rates](rates.png)", ""]
    for heading, entries in parts(report, strings):
        lines += [f"## {heading}", "", *(f"- {entry}" for entry in entries), ""]
    return "\n".join(lines)


def is_empty(report: Report) -> bool:
    """Whether nobody has asked anything."""
    return not report.total.questions and not report.given_up


def figure_lines(report: Report, strings: Strings) -> dict[str, str]:
    """The numbers of the report, by what they are called."""
    figures = report.total
    values = {
        "questions": str(figures.questions),
        "people": str(figures.people),
        "answered": _rate(figures.answered, strings),
        "abstained": _rate(figures.abstained, strings),
        "helpful": _rate(figures.helpful, strings),
        "votes": str(figures.helpful.n),
        "median_s": f"{figures.median_s:.1f} s",
        "p95_s": f"{figures.p95_s:.1f} s",
        "given_up": str(report.given_up),
    }
    return {strings.report.labels[name]: value for name, value in values.items()}


def parts(report: Report, strings: Strings) -> Iterator[tuple[str, list[str]]]:
    """The lists of the report with their headings; empty ones say so."""
    lists = (
        (strings.report.gaps, [_gap(gap, strings) for gap in report.gaps[:GAPS_SHOWN]]),
        (strings.report.stale, [_source(strings.report.stale_source, s) for s in report.stale]),
        (
            strings.report.disliked,
            [_source(strings.report.disliked_source, s) for s in report.disliked],
        ),
        (strings.report.outdated, [_outdated(s, strings) for s in report.outdated[:GAPS_SHOWN]]),
        (
            strings.report.languages,
            [
                _counted(strings.report.language, figures, strings, language=language)
                for language, figures in report.languages.items()
            ],
        ),
        (
            strings.report.files,
            [account_line(report.account, strings, has_kinds=True)] if report.account else [],
        ),
        (strings.report.history, [_era(era, strings) for era in report.history[-ERAS_SHOWN:]]),
        (
            strings.models.deployments_title,
            [deployment_line(change, strings) for change in report.deployments[-ERAS_SHOWN:]],
        ),
    )
    for heading, lines in lists:
        yield heading, lines or [strings.report.none]


def _gap(gap: Gap, strings: Strings) -> str:
    question = shortened(
        sanitise_words(gap.question or "") or strings.report.untold, QUESTION_CHARS
    )
    return strings.report.gap.format(
        question=question, count=gap.count, people=gap.people, downs=gap.downs
    )


def _source(words: str, source: CitedSource) -> str:
    return words.format(
        title=shortened(sanitise_words(source.title or source.id), TITLE_CHARS),
        age_days=source.age_days,
        answers=source.answers,
        ups=source.ups,
        downs=source.downs,
    )


def _outdated(source: OutdatedSource, strings: Strings) -> str:
    states = strings.report.outdated_states
    return strings.report.outdated_source.format(
        title=shortened(sanitise_words(source.title), TITLE_CHARS),
        owner=shortened(sanitise_words(source.owner), ID_CHARS),
        people=source.people,
        state=states["lowered" if source.is_lowered else "noted"],
    )


def _era(era: Era, strings: Strings) -> str:
    return _counted(
        strings.report.era,
        era.figures,
        strings,
        since=era.since[:10],
        generator=shortened(era.generator, ID_CHARS),
        embedder=shortened(era.embedder, ID_CHARS),
        generation=era.generation,
    )


def _counted(words: str, figures: Figures, strings: Strings, **more: str) -> str:
    return words.format(
        questions=figures.questions,
        answered=_share(figures.answered, strings),
        helpful=_share(figures.helpful, strings),
        **more,
    )


def _rate(rate: Rate, strings: Strings) -> str:
    if not rate.n:
        return strings.report.unknown
    return strings.report.interval.format(share=rate.share, low=rate.low, high=rate.high)


def _share(rate: Rate, strings: Strings) -> str:
    return f"{rate.share:.0%}" if rate.n else strings.report.unknown
