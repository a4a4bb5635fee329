"""Tests of bringing an index up to date with folders."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.commands import summary
from retrieval.errors import (
    BusyError,
    IndexCorruptError,
    IndexNotFoundError,
    SettingsError,
    UnreadableError,
)
from retrieval.index.account import Account, read_account
from retrieval.index.building import update_index
from retrieval.index.changes import Changes
from retrieval.index.content import read_content
from retrieval.index.generation import current, load_index, write_generation
from retrieval.index.manifest import read_manifest
from retrieval.registry.folders import building, publish
from retrieval.search.cells import CellSearch
from retrieval.settings import Settings
from tests.retrieval import sample_files as sample
from tests.retrieval.index.test_generation import as_an_older_release_wrote
from tests.retrieval.word_embedder import WordEmbedder

LEAVE = "# Leave\n\nEvery employee has thirty days of paid leave a year.\n"
REMOTE = "# Remote work\n\nWork from anywhere for twenty days a year.\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text(LEAVE)
    (folder / "remote.md").write_text(REMOTE)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", parse_seconds=20)


def texts(settings: Settings) -> set[str]:
    index = load_index(settings.index_folder, WordEmbedder())
    return {passage.text for passage in index.passages}


def test_a_first_run_reads_and_embeds_everything(docs: Path, settings: Settings) -> None:
    report = update_index([docs], settings, WordEmbedder())
    assert report.changes == Changes(added=("docs/leave.md", "docs/remote.md"))
    assert (report.passages, report.embedded, report.failures) == (2, 2, ())
    assert any("thirty days" in text for text in texts(settings))


def test_a_second_run_of_the_same_makes_no_new_generation(docs: Path, settings: Settings) -> None:
    first = update_index([docs], settings, WordEmbedder())
    second = update_index([], settings, WordEmbedder())
    assert (second.changes.unchanged, second.embedded) == (2, 0)
    assert second.generation == first.generation


def test_only_what_changed_is_embedded_and_what_vanished_is_gone(
    docs: Path, settings: Settings
) -> None:
    update_index([docs], settings, WordEmbedder())
    (docs / "leave.md").write_text(LEAVE.replace("thirty", "forty"))
    (docs / "remote.md").rename(docs / "away.md")
    (docs / "empty.md").write_text("")
    report = update_index([docs], settings, WordEmbedder())
    assert report.changes == Changes(("docs/away.md",), ("docs/leave.md",), ("docs/remote.md",))
    assert report.embedded == 1
    assert [failure.id for failure in report.failures] == ["docs/empty.md"]
    assert not any("thirty" in text for text in texts(settings))


def test_what_was_read_in_part_is_told_as_long_as_it_is_there(
    docs: Path, settings: Settings
) -> None:
    (docs / "scan.pdf").write_bytes(sample.pdf([["Travel rules"], []]))
    for _ in range(2):
        report = update_index([docs], settings, WordEmbedder())
        (scan,) = report.partial
        assert (scan.id, scan.gaps) == ("docs/scan.pdf", ("1 of 2 pages hold no text: 2",))
        assert "docs/scan.pdf: 1 of 2 pages hold no text: 2" in summary(report)


def test_reused_vectors_stand_beside_their_own_passages(docs: Path, settings: Settings) -> None:
    update_index([docs], settings, WordEmbedder())
    (docs / "a.md").write_text("# First\n\nSomething sorted before all others.\n")
    update_index([docs], settings, WordEmbedder())
    index = load_index(settings.index_folder, WordEmbedder())
    wanted = WordEmbedder().embed_passages([passage.indexed_text for passage in index.passages])
    assert np.allclose(index.vectors, wanted)


def test_a_new_audience_rule_changes_documents_without_embedding_them(
    docs: Path, settings: Settings
) -> None:
    update_index([docs], settings, WordEmbedder())
    ruled = settings.model_copy(update={"audiences": {"docs/leave*": "hr"}})
    report = update_index([docs], ruled, WordEmbedder())
    assert (len(report.changes.changed), report.changes.unchanged, report.embedded) == (1, 1, 0)


def test_another_embedder_embeds_everything_again(docs: Path, settings: Settings) -> None:
    update_index([docs], settings, WordEmbedder())
    assert update_index([], settings, WordEmbedder(revision="2")).embedded == 2


def test_a_small_change_embeds_no_more_than_itself_and_the_probes(
    docs: Path, settings: Settings
) -> None:
    for n in range(8):
        (docs / f"{n}.md").write_text(
            f"# Note {n}\n\nThe first fact of note {n}. And the second.\n"
        )
    update_index([docs], settings, WordEmbedder())
    (docs / "leave.md").write_text(LEAVE.replace("thirty", "forty"))
    embedder = WordEmbedder()
    update_index([docs], settings, embedder)
    assert sum("forty" in text for text in embedder.texts) == 1
    assert not any("Note" in text for text in embedder.texts)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (CellSearch(4_000, 60, 0.9934), "60 of 4000 cells are searched, which find 99.3% of"),
        (CellSearch(4_000, 0, 0.9712), "all are compared, as 4000 cells find 97.1% of"),
    ],
)
def test_how_well_cells_find_is_told(
    docs: Path, settings: Settings, cells: CellSearch, told: str
) -> None:
    report = update_index([docs], settings, WordEmbedder())
    assert "vectors" not in summary(report)
    assert f"vectors: {told} the ten nearest" in summary(replace(report, cells=cells))


def test_a_full_run_trusts_nothing(docs: Path, settings: Settings) -> None:
    update_index([docs], settings, WordEmbedder())
    assert update_index([], settings, WordEmbedder(), full=True).embedded == 2


def test_a_corrupt_generation_is_mended_by_a_full_run_only(docs: Path, settings: Settings) -> None:
    update_index([docs], settings, WordEmbedder())
    (current(settings.index_folder) / "vectors.npy").write_bytes(b"bad")
    with pytest.raises(IndexCorruptError, match="whimbrel index --full"):
        update_index([], settings, WordEmbedder())
    update_index([], settings, WordEmbedder(), full=True)
    assert len(texts(settings)) == 2


def test_without_folders_there_must_have_been_an_index(settings: Settings) -> None:
    with pytest.raises(IndexNotFoundError, match="whimbrel index FOLDER"):
        update_index([], settings, WordEmbedder())


def test_the_second_of_two_builds_is_told_so(docs: Path, settings: Settings) -> None:
    with building(settings.index_folder), pytest.raises(BusyError, match="being built"):
        update_index([docs], settings, WordEmbedder())


def test_progress_reaches_the_end_of_every_stage(docs: Path, settings: Settings) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def on_progress(stage: str, done: int, total: int) -> None:
        seen[stage] = (done, total)

    update_index([docs], settings, WordEmbedder(), on_progress=on_progress)
    assert seen == {"reading": (2, 2), "embedding": (2, 2), "writing": (1, 1)}


def test_a_folder_without_documents_gives_an_empty_index(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "none").mkdir()
    assert update_index([tmp_path / "none"], settings, WordEmbedder()).passages == 0
    assert texts(settings) == set()


def test_files_of_which_none_can_be_read_do_not_empty_the_index(
    docs: Path, settings: Settings, tmp_path: Path
) -> None:
    update_index([docs], settings, WordEmbedder())
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.pdf").write_bytes(b"no PDF at all")
    with pytest.raises(UnreadableError, match=r"the index stays as it is: broken/report\.pdf"):
        update_index([tmp_path / "broken"], settings, WordEmbedder())
    assert len(texts(settings)) == 2


@pytest.mark.parametrize("others", [True, False])
def test_a_document_that_is_refused_for_its_label_is_no_longer_served(
    docs: Path, settings: Settings, others: bool
) -> None:
    if not others:
        (docs / "remote.md").unlink()
    update_index([docs], settings, WordEmbedder())
    (docs / "leave.md").write_text(f"---\nAudience: hr\n---\n{LEAVE}")
    report = update_index([docs], settings, WordEmbedder())
    (failure,) = report.failures
    assert (failure.id, failure.is_restricted) == ("docs/leave.md", True)
    assert not any("thirty days" in text for text in texts(settings))


def test_what_was_read_by_loaders_of_before_is_read_again(docs: Path, settings: Settings) -> None:
    first = update_index([docs], settings, WordEmbedder())
    generation = current(settings.index_folder)
    recipe = read_manifest(generation).recipe
    content = read_content(generation)
    with building(settings.index_folder):
        old = write_generation(
            settings.index_folder,
            content,
            recipe=replace(recipe, loaders=0),
            roots=[str(docs)],
            embedder=WordEmbedder(),
        )
        publish(settings.index_folder, old.name)
    second = update_index([], settings, WordEmbedder())
    assert second.generation not in (first.generation, old.name)
    assert second.embedded == 0


def test_what_an_older_release_wrote_is_written_anew_and_not_embedded_again(
    docs: Path, settings: Settings
) -> None:
    first = update_index([docs], settings, WordEmbedder())
    as_an_older_release_wrote(current(settings.index_folder))
    second = update_index([], settings, WordEmbedder())
    assert (second.embedded, second.changes.unchanged) == (0, 2)
    assert second.generation != first.generation
    assert (current(settings.index_folder) / "passages.npz").exists()
    assert update_index([], settings, WordEmbedder()).generation == second.generation


def test_after_a_change_the_index_is_as_if_it_were_built_of_all(
    docs: Path, settings: Settings
) -> None:
    update_index([docs], settings, WordEmbedder())
    (docs / "leave.md").write_text("# Leave\n\nThirty-one days, and a kettle.\n")
    (docs / "attic.md").write_text(REMOTE)
    update_index([], settings, WordEmbedder())
    changed = load_index(settings.index_folder, WordEmbedder())
    update_index([], settings, WordEmbedder(), full=True)
    anew = load_index(settings.index_folder, WordEmbedder())
    assert changed.passages == anew.passages
    for query in ("paid leave", "kettle days", "anywhere"):
        assert (changed.lexical.scores(query) == anew.lexical.scores(query)).all()


@pytest.mark.parametrize("first", ["secret", "open"])
def test_two_files_of_one_name_are_never_taken_for_each_other(
    docs: Path, settings: Settings, first: str
) -> None:
    both = {"secret": "---\naudience: hr\n---\n# Pay\n\nThe zebra.\n", "open": "# Cafe\n\nTea.\n"}
    order = sorted(both, key=lambda name: name != first)
    for name, byte in zip(order, (b"\xe8", b"\xe9"), strict=True):
        (docs / os.fsdecode(b"caf" + byte + b".md")).write_text(both[name])
    for _ in range(2):
        report = update_index([docs], settings, WordEmbedder())
        assert [failure.id for failure in report.failures] == ["docs/caf?.md"]
        assert 'a second document called "docs/caf?.md"' in report.failures[0].reason
        assert report.failures[0].is_restricted == (first == "open")
    passages = load_index(settings.index_folder, WordEmbedder()).passages
    assert all(p.source.audience == "hr" for p in passages if "zebra" in p.text)


def test_a_corpus_with_two_documents_of_one_id_is_refused(docs: Path, settings: Settings) -> None:
    rows = ({"_id": "1", "text": "The zebra.", "audience": "hr"}, {"_id": "1", "text": "Tea."})
    (docs / "data").mkdir()
    (docs / "data/corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (failure,) = update_index([docs], settings, WordEmbedder()).failures
    assert failure.is_restricted
    assert 'called "docs/data/corpus.jsonl#1"' in failure.reason


def test_a_file_whose_name_is_no_text_makes_no_new_generation(
    docs: Path, settings: Settings
) -> None:
    folder = docs / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / os.fsdecode(b"men\xfc.md")).write_text("# Menu\n\nTea.\n")
    first = update_index([docs, folder], settings, WordEmbedder())
    assert update_index([], settings, WordEmbedder()).generation == first.generation


def test_a_rule_for_no_document_leaves_the_index_as_it_is(docs: Path, settings: Settings) -> None:
    update_index([docs], settings, WordEmbedder())
    ruled = settings.model_copy(update={"audiences": {"docs/leave": "hr", "docs/*.md": "hr"}})
    with pytest.raises(SettingsError, match='no document is called like "docs/leave"'):
        update_index([docs], ruled, WordEmbedder())
    assert len(texts(settings)) == 2


def test_a_rule_may_be_for_files_that_cannot_be_read(docs: Path, settings: Settings) -> None:
    (docs / "empty.md").write_text("")
    ruled = settings.model_copy(update={"audiences": {"docs/empty*": "hr"}})
    assert update_index([docs], ruled, WordEmbedder()).passages == 2


def test_every_file_is_accounted_for(docs: Path, settings: Settings) -> None:
    (docs / "scan.pdf").write_bytes(sample.pdf([["Travel rules"], []]))
    (docs / "empty.md").write_text("")
    (docs / ".git").mkdir()
    for name in ("a.svg", "b.svg", ".git/config"):
        (docs / name).touch()
    for _ in range(2):
        report = update_index([docs], settings, WordEmbedder())
        assert report.account == Account(2, 1, 1, {".svg": 2, "hidden folder": 1})
        assert read_account(current(settings.index_folder)) == report.account
    said = summary(report)
    assert "files: 7 found: 2 read, 1 read in part, 1 could not be read, 3 left out" in said
    assert "1 document was read in part:" in said
    assert "1 file could not be read, as in " in said
    assert "left out: 2 .svg, 1 hidden folder; all of them: " in said
    listed = Path(said.rpartition("all of them: ")[2].split()[0])
    assert [json.loads(line)["id"] for line in listed.read_text().splitlines()] == [
        "docs/.git",
        "docs/a.svg",
        "docs/b.svg",
    ]


def test_a_single_file_is_indexed(docs: Path, settings: Settings) -> None:
    report = update_index([docs / "leave.md"], settings, WordEmbedder())
    assert report.changes.added == ("leave.md",)
    assert update_index([], settings, WordEmbedder()).changes.unchanged == 1


def test_an_index_of_before_does_not_say_what_was_left_out(docs: Path, settings: Settings) -> None:
    update_index([docs], settings, WordEmbedder())
    (current(settings.index_folder) / "left_out.jsonl").unlink()
    assert read_account(current(settings.index_folder)).found == 2


def test_many_files_of_unknown_types_are_counted_by_type(docs: Path, settings: Settings) -> None:
    for n in range(30):
        (docs / f"{n}.xyz").write_text("x")
    (docs / "empty.md").write_text("")
    said = summary(update_index([docs], settings, WordEmbedder()))
    assert "30 of types that are not read: 30 .xyz\n  docs/empty.md: is empty (0 bytes)" in said
