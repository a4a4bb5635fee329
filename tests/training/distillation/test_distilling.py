from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import DataError
from retrieval.examples import read_examples, write_examples
from retrieval.index.library import Library
from retrieval.registry.runs import folder_of
from tests.endpoint_server import EndpointServer
from tests.retrieval.llm.tiny_models import save_causal
from tests.training.distillation import lamps
from training.distillation.distilling import Distillation
from training.generator.learned_adapter import learn_adapter
from training.generator.trainers import AdapterConfig
from training.trainer import LearnOptions


def test_a_plan_says_what_it_takes_at_most_and_sends_no_document(
    lesson: Distillation, server: EndpointServer
) -> None:
    plan = lesson.plan(8)
    assert (plan.questions, plan.shown, plan.passages, plan.known) == (8, 8, 10, 0)
    assert plan.left.calls == 16
    assert "lamp of the" not in str(server.requests)
    lesson.teach(8)
    assert plan.left.tokens_read >= 16 * 11
    assert plan.left.of((2.0, 10.0)) == pytest.approx(
        (plan.left.tokens_read * 2 + plan.left.tokens_written * 10) / 1e6
    )


def test_no_more_is_planned_than_there_are_passages_for(lesson: Distillation) -> None:
    assert lesson.plan(1000).questions == 32


def test_where_nothing_is_for_everybody_there_is_nobody_to_teach(
    server: EndpointServer, tmp_path: Path
) -> None:
    library = lamps.library(tmp_path, audiences={"docs/*": "board"})
    with pytest.raises(DataError, match="no passage is for everybody"):
        lamps.distillation(library, server, tmp_path).plan(4)


def test_what_was_said_before_is_not_planned_again(
    lesson: Distillation, server: EndpointServer
) -> None:
    lesson.teach(4)
    plan = lesson.plan(8)
    assert (plan.known, plan.left.calls) == (8, 8)
    lesson.teach(8)
    asked = len(server.asked)
    assert lesson.plan(8).left.calls == 0
    assert len(server.asked) == asked


def test_the_card_names_the_teacher_the_prompts_and_the_cost(lesson: Distillation) -> None:
    folder = lesson.teach(8, price=(1000.0, 1000.0))
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert text.startswith("# Taught by tiny@endpoint\n")
    assert "With prompts 1" in text
    assert "16 calls, 176 tokens read, 112 written, for 0.29." in text
    assert "8 of 8 questions were kept: 6 with an answer" in text


def test_replies_are_for_the_owner_alone(lesson: Distillation) -> None:
    lesson.teach(1)
    assert lesson.settings.distilled_folder.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_pupil_learns_what_its_teacher_said_and_the_gate_judges_it(
    lesson: Distillation, library: Library, tmp_path: Path
) -> None:
    dataset = lesson.teach(16)
    taught = read_examples(dataset, "train")
    approved = [replace(example, source="approved") for example in taught if example.is_good]
    write_examples(dataset, "held-out", approved)
    values = {"generator": str(save_causal(tmp_path / "pupil")), "hits": 1, "answer_tokens": 40}
    settings = library.settings.model_copy(update=values)
    config = AdapterConfig(learning_rate=1e-2, at_once=4, batch=4, epochs=1, upper=1.0)
    learned = learn_adapter(dataset, settings, library, LearnOptions(), config=config, min_rows=8)
    assert learned is not None
    assert learned.run.facts.dataset == dataset.name
    assert learned.run.facts.metrics["sft_rows"] >= 12
    assert (folder_of(settings.runs_folder, learned.run) / "gate.md").is_file()
