"""Tests of measuring what an index of many passages costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.scale import (
    ENGINES,
    Row,
    Seed,
    build,
    changed,
    draw,
    measured,
    search,
    settings_of,
    told,
    write,
)
from retrieval.index.content import read_content
from retrieval.index.generation import current

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

NOUNS = ("kettle", "ferry", "tide", "lamp", "buoy", "harbour", "anchor", "keeper", "gull", "rope")
TEXTS = tuple(f"{first} and {second} and {first}" for first in NOUNS for second in NOUNS[:5])
SEED = Seed(TEXTS, np.eye(len(TEXTS), dtype=np.float32), per_second=20.0)
ROW = Row("memory", 1_000, 10, 990, 1, 5, 0.1, 20, 0.5, 1, 0.5, 1, 0.5, 0.01, 1, 1, 0.6, 0.5)


@pytest.mark.slow
def test_as_many_passages_are_built_changed_and_searched_as_are_said(tmp_path: Path) -> None:
    index = settings_of(tmp_path).index_folder
    write(tmp_path / "docs", SEED, range(20))
    build(tmp_path, SEED)
    before = read_content(current(index))
    write(tmp_path / "docs", SEED, changed(200), offset=2_000)
    build(tmp_path, SEED)
    after = read_content(current(index))
    assert (len(before.passages), len(after.passages)) == (200, 200)
    assert {source.language for source in after.sources} == {"en", "ja"}
    assert {source.audience for source in after.sources} == {"public", "hr"}
    texts = [{passage.text for passage in content.passages} for content in (before, after)]
    assert len(texts[1] - texts[0]) == 9
    searched = search(tmp_path, SEED, 200)
    assert (searched.recall, searched.narrow_recall) == (1, 1)


@pytest.mark.slow
def test_a_shared_index_is_measured_like_one_in_memory(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    before_s = postgres.cpu_s()
    row = measured("Postgres", 200, SEED, tmp_path, postgres)
    assert (row.engine, row.passages) == ("Postgres", 200)
    assert row.recall > 0.95
    assert postgres.cpu_s() > before_s


def test_a_row_tells_what_a_change_costs_with_embedding_and_without() -> None:
    assert (ROW.share, ROW.share_with_embedding) == (0.1, 0.0109)
    assert told(ROW).startswith("| 1,000 | 10.0 | 990 | 1.0 | 1.09% | 10.0% |")


@pytest.mark.slow
def test_there_is_a_picture_for_light_and_for_dark_pages(tmp_path: Path) -> None:
    rows = [replace(ROW, engine=engine, passages=n) for engine in ENGINES for n in (1_000, 10_000)]
    draw(rows, tmp_path / "scale.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"scale-dark.svg", "scale-light.svg"}
