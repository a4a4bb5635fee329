from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.answering.triage import (
    SEEDS,
    TRIAGE_FILE,
    Separator,
    fit,
    fit_to_seeds,
    load_separator,
    read_labelled,
)
from retrieval.errors import DataError, ModelCorruptError
from retrieval.registry.runs import Facts, Run, publish, write_run
from tests.retrieval.word_embedder import WordEmbedder

MINE = Separator((1.0,) * 64, 0.5, 0.6, "words", "0123")


def published(models: Path, separator: Separator) -> Run:
    home, facts = models / "runs", Facts(separator.embedder, "0123", 0, "1")
    run = write_run(home, "triage", facts, lambda to: separator.save(to / TRIAGE_FILE))
    publish(home, run, reason="passed")
    return run


def test_two_heaps_of_vectors_are_told_apart() -> None:
    vectors = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.0, 0.8]], dtype=np.float32)
    labels = np.array([True, True, False, False])
    separator = fit(vectors, labels, embedder="by hand", data="heaps")
    assert np.all((separator.score(vectors) > 0.5) == labels)


def test_a_published_model_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    published(tmp_path, MINE)
    assert load_separator(tmp_path, WordEmbedder()) == MINE


def test_a_model_for_another_embedder_leaves_the_decision_to_our_own_messages(
    tmp_path: Path,
) -> None:
    published(tmp_path, replace(MINE, embedder="another@1"))
    assert load_separator(tmp_path, WordEmbedder()) == fit_to_seeds(WordEmbedder())


def test_what_is_no_model_is_refused_by_its_path(tmp_path: Path) -> None:
    home, facts = tmp_path / "runs", Facts("words", "0123", 0, "1")
    run = write_run(home, "triage", facts, lambda to: to.joinpath(TRIAGE_FILE).touch())
    publish(home, run, reason="broken")
    with pytest.raises(ModelCorruptError, match=TRIAGE_FILE):
        load_separator(tmp_path, WordEmbedder())


def test_our_own_messages_are_balanced_and_none_comes_twice() -> None:
    seeds = read_labelled(SEEDS)
    share = sum(each.is_question for each in seeds) / len(seeds)
    assert 0.4 < share < 0.6
    assert len({each.text for each in seeds}) == len(seeds)


def test_a_message_may_hold_what_breaks_a_line_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "messages.tsv").write_text("1\tHow do I\u2028claim travel?\n", encoding="utf-8")
    (message,) = read_labelled(tmp_path / "messages.tsv")
    assert message.text == "How do I\u2028claim travel?"


def test_a_line_without_a_label_is_refused_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "messages.tsv").write_text("1\tHow do I claim travel?\nLunch?\n")
    with pytest.raises(DataError, match="line 2"):
        read_labelled(tmp_path / "messages.tsv")
