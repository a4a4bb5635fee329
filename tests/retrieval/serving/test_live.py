from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from retrieval.index.building import update_index
from retrieval.records import Answer, AnswerRequest, Thread
from retrieval.registry.runs import (
    Run,
    deployments,
    publish,
    retire,
    roll_back,
)
from retrieval.registry.trials import begin, complete, under_way
from retrieval.serving.live import Live
from retrieval.settings import Settings
from tests.retrieval.answering.test_answerer import ALWAYS, NEVER
from tests.retrieval.word_embedder import WordEmbedder
from tests.retrieval.words_of_runs import QUESTION, WordsOfRuns, install, open_live, trained

# The largest share that is allowed: at a rounder one, chance leaves a thread out now and then.
NEARLY_ALL = math.nextafter(1, 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return install(tmp_path)


@pytest.fixture
def live(settings: Settings) -> Live:
    return open_live(settings)[0]


def asked(live: Live, id_: str | None = "C1:1", **rest: Any) -> Answer:
    """Ask in a thread of this id that begins now, or in none."""
    thread = None if id_ is None else Thread(id_, time.time())
    return live.answer(AnswerRequest(QUESTION, thread=thread), **rest)


def publish_and_follow(live: Live, settings: Settings, run: Run) -> None:
    publish(settings.runs_folder, run, reason="better")
    live.refresh()


def test_an_answer_names_every_model_that_made_it(live: Live) -> None:
    answer = asked(live)
    assert (answer.generator, answer.embedder) == ("writer@1", "words")
    assert (answer.judge, answer.reranker) == (ALWAYS.id, "")
    assert (answer.trial, answer.arm) == ("", "served")


def test_a_published_generator_answers_the_next_question(live: Live, settings: Settings) -> None:
    run = trained(settings, "Keepers have 27 days of paid leave [1].")
    publish_and_follow(live, settings, run)
    assert asked(live).generator == run.id
    roll_back(settings.runs_folder, "generator", reason="people say so")
    live.refresh()
    assert asked(live).generator == "writer@1"


def test_a_published_index_is_loaded_before_anybody_asks(live: Live, settings: Settings) -> None:
    (settings.home.parent / "docs" / "tide.md").write_text("# Tide\n\nHigh water is at noon.\n")
    published = update_index((), settings, WordEmbedder()).generation
    live.refresh()
    (settings.index_folder / published / "passages.jsonl").unlink()
    assert asked(live).generation == published


def test_nothing_is_loaded_twice(live: Live, settings: Settings) -> None:
    roles = live._loader
    assert isinstance(roles, WordsOfRuns)
    publish_and_follow(live, settings, trained(settings, "27 days [1]."))
    live.refresh()
    assert len(roles.loaded) == 1


def test_a_question_in_flight_keeps_its_model_which_is_then_let_go(
    live: Live, settings: Settings
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    old = weakref.ref(live.generator)

    def wait(_: str) -> None:
        begun.set()
        go_on.wait(60)

    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(asked(live, on_text=wait)))
    asking.start()
    begun.wait(60)
    publish_and_follow(live, settings, trained(settings, "27 days [1]."))
    assert old() is not None
    go_on.set()
    asking.join()
    gc.collect()
    assert (answers[0].generator, old()) == ("writer@1", None)


def test_a_published_judge_is_followed(live: Live, settings: Settings) -> None:
    assert asked(live).kind == "answer"
    publish_and_follow(live, settings, trained(settings, "", "judge"))
    assert (asked(live).kind, asked(live).judge) == ("abstention", NEVER.id)


def test_what_cannot_be_loaded_is_rolled_back(live: Live, settings: Settings) -> None:
    publish_and_follow(live, settings, trained(settings, "broken"))
    assert asked(live).generator == "writer@1"
    last = deployments(settings.runs_folder)[-1]
    assert (last.how, last.after) == ("rollback", "base")
    assert "its weights are not numbers" in last.reason


def test_a_share_of_the_threads_is_answered_by_the_candidate(
    live: Live, settings: Settings
) -> None:
    run = trained(settings, "Keepers have 27 days of paid leave [1].")
    trial = begin(settings.runs_folder, run, share=0.5, reason="eased in")
    live.refresh()
    for thread in map(str, range(8)):
        answer = asked(live, thread)
        is_taken = trial.takes(Thread(thread, 0))
        assert answer.generator == (run.id if is_taken else "writer@1")
        assert answer.arm == ("candidate" if is_taken else "served")
        assert (answer.trial, answer.share) == (run.id, 0.5)


def test_questions_of_no_thread_are_kept_out_of_a_trial(live: Live, settings: Settings) -> None:
    begin(settings.runs_folder, trained(settings, "27 [1]."), share=0.99, reason="eased in")
    live.refresh()
    answer = asked(live, None)
    assert (answer.generator, answer.trial) == ("writer@1", "")


def test_a_candidate_that_fails_costs_nobody_an_answer(live: Live, settings: Settings) -> None:
    run = trained(settings, "failing")
    begin(settings.runs_folder, run, share=NEARLY_ALL, reason="eased in")
    live.refresh()
    answer = asked(live)
    assert (answer.generator, answer.arm, answer.trial) == ("writer@1", "failed", run.id)


def test_a_candidate_that_cannot_be_loaded_is_no_longer_tried(
    live: Live, settings: Settings
) -> None:
    begin(settings.runs_folder, trained(settings, "broken"), share=0.9, reason="eased in")
    live.refresh()
    assert asked(live).arm == "served"
    assert under_way(settings.runs_folder) is None


def test_in_the_shadow_a_candidate_answers_for_nobody_to_see(
    live: Live, settings: Settings
) -> None:
    run = trained(settings, "Keepers have 27 days of paid leave [1].")
    begin(settings.runs_folder, run, share=0, reason="looked at")
    live.refresh()
    shown = asked(live)
    hidden = live.shadow(AnswerRequest(QUESTION), should_stop=lambda: False)
    assert (shown.generator, shown.trial, shown.share) == ("writer@1", run.id, 0)
    assert hidden is not None
    assert hidden.generator == run.id


def test_retiring_a_run_on_trial_takes_it_out_of_the_next_question(
    live: Live, settings: Settings
) -> None:
    run = trained(settings, "27 [1].")
    begin(settings.runs_folder, run, share=NEARLY_ALL, reason="eased in")
    live.refresh()
    assert asked(live).generator == run.id
    retire(settings.runs_folder, run, reason="somebody was forgotten")
    live.refresh()
    assert asked(live).generator == "writer@1"


def test_a_completed_trial_serves_what_it_tried_without_loading_it_again(
    live: Live, settings: Settings
) -> None:
    run = trained(settings, "27 [1].")
    trial = begin(settings.runs_folder, run, share=0.5, reason="eased in")
    live.refresh()
    publish(settings.runs_folder, run, reason="good")
    complete(settings.runs_folder, trial)
    live.refresh()
    answer = asked(live)
    assert (answer.generator, answer.arm, answer.share) == (run.id, "candidate", 1.0)
    assert isinstance(live._loader, WordsOfRuns)
    assert live._loader.loaded == [run.id]


def test_a_reranker_is_tried_and_then_published(live: Live, settings: Settings) -> None:
    run = trained(settings, "", "reranker")
    begin(settings.runs_folder, run, share=NEARLY_ALL, reason="eased in")
    live.refresh()
    tried = asked(live)
    assert (tried.reranker, tried.arm) == (run.id, "candidate")
    assert asked(live, None).reranker == ""
    publish_and_follow(live, settings, run)
    served = asked(live)
    assert (served.reranker, served.trial) == (run.id, "")
    assert [hit.reranker for hit in served.hits] == [hit.reranker for hit in tried.hits]


def test_a_judge_on_trial_judges(live: Live, settings: Settings) -> None:
    begin(settings.runs_folder, trained(settings, "", "judge"), share=NEARLY_ALL, reason="eased in")
    live.refresh()
    answer = asked(live)
    assert (answer.kind, answer.judge, answer.arm) == ("abstention", NEVER.id, "candidate")


def test_a_judge_of_another_embedder_is_not_tried_any_more(live: Live, settings: Settings) -> None:
    begin(settings.runs_folder, trained(settings, "", "judge"), share=NEARLY_ALL, reason="eased in")
    live.refresh()
    assert asked(live).kind == "abstention"
    live.library.embedder.id = "other"
    assert (asked(live).kind, asked(live).trial) == ("answer", "")
    live.refresh()
    assert under_way(settings.runs_folder) is None


def test_a_retriever_whose_index_was_rolled_back_has_no_part_in_its_trial(
    live: Live, settings: Settings
) -> None:
    run = trained(settings, "", "retriever")
    trial = begin(settings.runs_folder, run, share=0.5, reason="eased in")
    publish(settings.runs_folder, run, reason="good")  # and the index is not of its making
    complete(settings.runs_folder, trial)
    live.refresh()
    assert (asked(live).embedder, asked(live).trial) == ("words", "")


def test_a_retriever_on_trial_searches_the_served_passages(
    live: Live, settings: Settings, tmp_path: Path
) -> None:
    run = trained(settings, "", "retriever")
    begin(settings.runs_folder, run, share=NEARLY_ALL, reason="eased in")
    live.refresh()
    first = asked(live)
    assert (first.embedder, first.arm) == (f"words+{run.id}", "candidate")
    assert first.citations[0].passage.source.title == "Leave"
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nA keeper has 30 days of leave.\n")
    update_index((), settings, WordEmbedder())
    assert asked(live).embedder == "words"  # until its vectors of the new text are there
    live.refresh()
    second = asked(live)
    assert second.embedder == f"words+{run.id}"
    assert "30 days" in second.hits[0].passage.text
    assert "public" in {hit.passage.source.audience for hit in second.hits}
