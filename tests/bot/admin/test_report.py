from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.admin.report import OutdatedSource, Report, Z, build_report, figures, rate
from bot.store.outdated import OutdatedDocument
from bot.store.period import Period, ReportedTurn
from retrieval.records import Source
from retrieval.registry.runs import Deployment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKED = ReportedTurn(
    audience=frozenset({"public"}),
    question="How many days of leave?",
    language="en",
    person=0,
    is_answered=True,
    cited=("docs/leave.md",),
    ups=0,
    downs=0,
    seconds=2.0,
    generator="gen",
    embedder="emb",
    generation="g1",
    created="2026-02-27T09:00:00+00:00",
)
OPEN = replace(ASKED, is_answered=False, cited=())


def source(id_: str, modified: str) -> Source:
    return Source(id_, id_.upper(), id_, "en", "0", modified)


SOURCES = (
    source("docs/leave.md", "2024-01-01T00:00:00+00:00"),
    source("docs/new.md", "2026-02-01T00:00:00+00:00"),
)


def build(asked: list[ReportedTurn], *, given_up: int = 0) -> Report:
    return build_report(Period(7, NOW, asked, given_up), SOURCES)


def test_the_interval_is_wilsons() -> None:
    found = rate(8, 10)
    assert (round(found.low, 4), found.share, round(found.high, 4)) == (0.4902, 0.8, 0.9433)
    for bound in (found.low, found.high):  # its definition: just Z standard errors away
        assert (0.8 - bound) ** 2 == pytest.approx(Z**2 * bound * (1 - bound) / 10)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share_and_stays_within_bounds(count: int, rest: int) -> None:
    found = rate(count, count + rest)
    assert 0 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1


def test_figures_count_answers_people_votes_and_seconds() -> None:
    asked = [replace(ASKED, seconds=float(n), person=n % 4) for n in range(1, 20)]
    asked += [replace(OPEN, seconds=100.0), replace(ASKED, ups=3, downs=1, seconds=1.0)]
    found = figures(asked)
    assert (found.questions, found.people) == (21, 4)
    assert (found.answered.share, found.abstained.share) == (20 / 21, 1 / 21)
    assert (found.helpful.share, found.helpful.n) == (0.75, 4)
    assert (found.median_s, found.p95_s) == (10.0, 19.0)


def test_a_week_without_questions_gives_a_report_of_zeros() -> None:
    report = build([])
    assert report.total.questions == 0
    assert not math.isnan(report.total.median_s)
    assert (report.languages, report.history, report.stale) == ({}, (), ())
    assert len(report.daily) == 8


def test_old_documents_that_are_cited_often_are_stale() -> None:
    fresh = replace(ASKED, cited=("docs/new.md", "docs/gone.md"))
    (stale,) = build([ASKED] * 3 + [fresh] * 9).stale
    assert (stale.id, stale.title, stale.answers) == ("docs/leave.md", "DOCS/LEAVE.MD", 3)
    assert stale.age_days == 790
    assert build([ASKED] * 2).stale == ()


def test_documents_of_answers_that_were_rated_down_are_named() -> None:
    down = replace(ASKED, cited=("docs/new.md",), downs=2, ups=1)
    (disliked,) = build([ASKED, down]).disliked
    assert (disliked.id, disliked.downs, disliked.ups) == ("docs/new.md", 2, 1)


def test_every_language_and_every_change_of_models_has_its_figures() -> None:
    chinese = replace(ASKED, language="zh")
    report = build(
        [ASKED, chinese, replace(OPEN, generation="g2"), replace(ASKED, generation="g2")]
    )
    assert {k: v.questions for k, v in report.languages.items()} == {"en": 3, "zh": 1}
    assert [(e.generation, e.figures.questions) for e in report.history] == [("g1", 2), ("g2", 2)]
    assert report.history[1].figures.answered.share == 0.5


def test_what_people_call_outdated_is_told_with_its_owner_as_long_as_it_is_as_it_was() -> None:
    called = [
        OutdatedDocument("docs/leave.md", "0", 1, False),
        OutdatedDocument("docs/new.md", "0", 3, True),
        OutdatedDocument("docs/new.md", "as it was before", 9, True),
        OutdatedDocument("docs/secret.md", "0", 9, True),
    ]
    sources = [SOURCES[0], replace(SOURCES[1], owner="Ines")]
    report = build_report(Period(7, NOW, [ASKED], 0, called), sources)
    assert report.outdated == (
        OutdatedSource("DOCS/NEW.MD", "Ines", 3, True),
        OutdatedSource("DOCS/LEAVE.MD", "–", 1, False),
    )


def test_days_without_questions_are_there_too() -> None:
    report = build([ASKED, OPEN])
    assert [d.date for d in report.daily][:2] == ["2026-02-22", "2026-02-23"]
    assert [(d.answered, d.abstained) for d in report.daily if d.date == "2026-02-27"] == [(1, 1)]


def test_changes_of_learned_models_are_told_if_they_are_of_the_period() -> None:
    def change(at: str) -> Deployment:
        return Deployment(at, "retriever", "publish", "base", "r2", "better")

    old, new = change("2026-02-01T00:00:00+00:00"), change("2026-02-27T00:00:00+00:00")
    report = build_report(Period(7, NOW, [ASKED], 0), SOURCES, deployments=[old, new])
    assert report.deployments == (new,)
