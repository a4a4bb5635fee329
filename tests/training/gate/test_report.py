from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from retrieval.registry.rounds import PICTURE
from retrieval.registry.runs import CHANGES
from tests.training.gate.test_decision import BETTER, SERVED, decision, outcomes
from training.gate.report import JSON, MARKDOWN, markdown, save, verdict


def test_a_report_is_for_people_machines_and_the_eye(tmp_path: Path) -> None:
    save(tmp_path, decision(SERVED, BETTER), title="map on handbook")
    assert "Passed" in (tmp_path / MARKDOWN).read_text()
    facts = json.loads((tmp_path / JSON).read_text())
    assert facts["is_passed"]
    assert facts["comparison"]["wins"] == 30
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_a_candidate_that_changes_nothing_is_called_so() -> None:
    assert "no difference" in verdict(decision(SERVED, SERVED))


def test_a_refusal_names_the_guard_and_the_questions_that_are_missing() -> None:
    slow = outcomes([0.5] * 60, seconds=1.0), outcomes([0.7] * 60, seconds=2.0)
    assert "seconds to an answer" in verdict(decision(*slow))
    unsure = verdict(decision(SERVED, outcomes([0.9] * 12 + [0.2] * 12 + [0.52] * 36)))
    assert "more held-out questions" in unsure


def test_what_was_won_and_lost_is_quoted_in_a_file_of_its_own(tmp_path: Path) -> None:
    served = outcomes([0.5] * 40, said="Ask <b>Ada</b> [1]")
    candidate = outcomes([0.4] * 3 + [0.9] * 37, said="Ask the *keeper*")
    save(tmp_path, decision(served, candidate), title="generator")
    text = (tmp_path / CHANGES).read_text()
    assert text.count("0.50 → 0.90") == 10
    assert text.count("0.50 → 0.40") == 3
    assert "Ask &lt;b&gt;Ada&lt;/b&gt; \\[1\\]" in text
    assert "Ada" not in (tmp_path / MARKDOWN).read_text() + (tmp_path / JSON).read_text()


def test_questions_whose_documents_have_changed_are_counted() -> None:
    decided = replace(decision(SERVED, BETTER), outdated=3)
    assert "3 questions of the regression set were left out" in markdown(decided, title="map")
