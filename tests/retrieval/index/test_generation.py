"""Tests of generations: written, checked, loaded, rolled back."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.documents.splitting import SPLITTER_VERSION, split
from retrieval.errors import IndexCorruptError, IndexMismatchError, IndexNotFoundError
from retrieval.index.content import Content
from retrieval.index.generation import current, generations, load_index, rollback, write_generation
from retrieval.index.manifest import Manifest, Recipe
from retrieval.index.searcher import Searcher
from retrieval.index.store import FolderStore
from retrieval.records import PUBLIC, Failure, Passage
from retrieval.registry.folders import publish, sha256
from tests.retrieval.documents_by_hand import document_from_text
from tests.retrieval.word_embedder import WordEmbedder

PLAN = "Heron is bought. It costs three million."
TEXTS = {"Leave": "Thirty days of leave.", "病假": "病假需要医生证明。", "Printer": "It is Heron."}


def passages_of(texts: dict[str, str]) -> list[Passage]:
    documents = [document_from_text(f"docs/{title}", title, text) for title, text in texts.items()]
    spans = WordEmbedder().token_spans
    return [each for one in documents for each in split(one, token_spans=spans, max_tokens=64)]


def build(
    folder: Path, texts: dict[str, str], *, splitter: int = SPLITTER_VERSION, seed: int = 0
) -> Manifest:
    embedder, passages = WordEmbedder(seed=seed), passages_of(texts)
    vectors = embedder.embed_passages([each.indexed_text for each in passages])
    content = Content([each.source for each in passages], passages, (), vectors)
    recipe = Recipe(embedder.id, embedder.revision, splitter, 64, {"docs/hr/*": "hr"})
    manifest = write_generation(folder, content, recipe=recipe, roots=["/x"], embedder=embedder)
    publish(folder, manifest.name)
    return manifest


def test_what_was_written_is_loaded(tmp_path: Path) -> None:
    manifest = build(tmp_path, TEXTS)
    index = load_index(tmp_path, WordEmbedder())
    assert index.manifest == manifest
    assert index.passages == tuple(passages_of(TEXTS))
    assert index.vectors.shape == (3, manifest.dimension)
    assert (index.dense.size, index.lexical.size) == (3, 3)


def as_an_older_release_wrote(generation: Path) -> None:
    """Take away what tells where lines begin, put another form of the words, and seal it again."""
    (generation / "passages.npz").unlink()
    shutil.rmtree(generation / "lexical")
    (generation / "lexical").mkdir()
    (generation / "lexical" / "params.index.json").write_text("{}")
    manifest = json.loads((generation / "manifest.json").read_bytes())
    sealed = [
        path for path in generation.rglob("*") if path.is_file() and "manifest" not in path.name
    ]
    files = {path.relative_to(generation).as_posix(): sha256(path) for path in sorted(sealed)}
    older = {key: manifest[key] for key in manifest.keys() - {"cells", "layout"}} | {"files": files}
    path = generation / "manifest.json"
    path.write_text(json.dumps(older))
    path.with_suffix(".sha256").write_text(f"{sha256(path)}  {path.name}\n")


def test_what_an_older_release_wrote_is_searched_as_well(tmp_path: Path) -> None:
    generation = tmp_path / build(tmp_path, TEXTS).name
    before = load_index(tmp_path, WordEmbedder())
    as_an_older_release_wrote(generation)
    after = load_index(tmp_path, WordEmbedder())
    assert after.passages == before.passages
    for query in ("days of leave", "病假"):
        assert (after.lexical.scores(query) == before.lexical.scores(query)).all()


def test_a_generation_can_be_read_by_a_person(tmp_path: Path) -> None:
    generation = tmp_path / build(tmp_path, TEXTS).name
    lines = (generation / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    assert '"text": "病假需要医生证明。"' in lines[1]
    assert json.loads((generation / "manifest.json").read_text())["passages"] == 3


def test_without_an_index_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError, match="run `whimbrel index FOLDER`"):
        load_index(tmp_path, WordEmbedder())


def flip_a_bit(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip_a_bit, cut, Path.unlink])
def test_damage_to_any_file_is_noticed(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    generation = tmp_path / build(tmp_path, TEXTS).name
    for path in [each for each in generation.rglob("*") if each.is_file()]:
        if not (before := path.read_bytes()):
            continue
        damage(path)
        with pytest.raises(IndexCorruptError, match="run `whimbrel index --full`"):
            load_index(tmp_path, WordEmbedder())
        path.write_bytes(before)
    load_index(tmp_path, WordEmbedder())


def test_passages_are_not_told_as_those_of_other_documents(tmp_path: Path) -> None:
    lines = tmp_path / build(tmp_path, TEXTS).name / "passages.npz"
    with np.load(lines) as arrays:
        held = dict(arrays)
    np.savez(lines, **held | {"source_of": held["source_of"][::-1]})
    with pytest.raises(IndexCorruptError, match=r"passages\.npz is not what was written"):
        FolderStore(tmp_path).passages()


def test_an_index_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / build(tmp_path, TEXTS).name / "manifest.json"
    body = path.read_bytes().replace(b'"schema": 1', b'"schema": 0')
    path.write_bytes(body)
    path.with_suffix(".sha256").write_text(f"{sha256(path)}  {path.name}\n")
    with pytest.raises(IndexMismatchError, match="another version"):
        load_index(tmp_path, WordEmbedder())


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    build(tmp_path, TEXTS)
    for other in (WordEmbedder(revision="2"), WordEmbedder(dimension=32)):
        with pytest.raises(IndexMismatchError, match="run `whimbrel index --full`"):
            load_index(tmp_path, other)


def test_another_embedder_of_the_same_name_is_found_out(tmp_path: Path) -> None:
    build(tmp_path, TEXTS)
    with pytest.raises(IndexMismatchError, match="embeds otherwise"):
        load_index(tmp_path, WordEmbedder(seed=1))


def test_another_splitter_version_is_refused(tmp_path: Path) -> None:
    build(tmp_path, TEXTS, splitter=SPLITTER_VERSION + 1)
    with pytest.raises(IndexMismatchError, match="splitter"):
        load_index(tmp_path, WordEmbedder())


def test_a_rollback_serves_the_generation_before(tmp_path: Path) -> None:
    first = build(tmp_path, {"Old": "The old text.", "Leave": "Nine days."})
    second = build(tmp_path, TEXTS)
    assert generations(tmp_path) == (second, first)
    done = rollback(tmp_path, WordEmbedder())
    assert (done.before, done.embedder_before) == (second.name, second.recipe.embedder)
    assert done.after == first
    assert done.changes is not None
    assert done.changes.added == ("docs/Old",)
    assert done.changes.changed == ("docs/Leave",)
    assert done.changes.removed == ("docs/Printer", "docs/病假")
    assert load_index(tmp_path, WordEmbedder()).manifest == first


@pytest.mark.parametrize("damage", [flip_a_bit, cut, Path.unlink])
@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "documents.jsonl"])
def test_what_serves_may_be_damaged_to_go_back_from(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    first, second = build(tmp_path, {"Old": "The old text."}), build(tmp_path, TEXTS)
    damage(tmp_path / second.name / name)
    done = rollback(tmp_path, WordEmbedder())
    assert (done.before, done.after) == (second.name, first)
    assert load_index(tmp_path, WordEmbedder()).manifest == first


def labelled(
    folder: Path,
    labels: dict[str, str],
    *,
    refused: tuple[str, ...] = (),
    texts: dict[str, str] | None = None,
) -> Manifest:
    """A generation whose documents have labels, and some files that are refused."""
    said = {title: f"All about the {title}." for title in labels} | (texts or {})
    held = passages_of({title: said[title] for title in labels})
    held = [replace(p, source=replace(p.source, audience=labels[p.source.title])) for p in held]
    failures = [Failure(id_, "has a label", is_restricted=True) for id_ in refused]
    embedder = WordEmbedder()
    vectors = embedder.embed_passages([passage.indexed_text for passage in held])
    content = Content([passage.source for passage in held], held, failures, vectors)
    recipe = Recipe(embedder.id, embedder.revision, SPLITTER_VERSION, 64, {})
    manifest = write_generation(folder, content, recipe=recipe, roots=["/x"], embedder=embedder)
    publish(folder, manifest.name)
    return manifest


def shown(folder: Path, query: str, audience: frozenset[str]) -> set[str]:
    embedder = WordEmbedder()
    hits = Searcher(load_index(folder, embedder), embedder).search(query, audience=audience)
    return {hit.passage.source.title for hit in hits}


def test_what_was_restricted_since_stays_restricted_after_a_rollback(tmp_path: Path) -> None:
    labelled(tmp_path, {"Gate": "public", "Attic": "hr", "Cellar": "public", "Vault": "public"})
    second = labelled(
        tmp_path, {"Gate": "hr", "Attic": "public", "Barn": "public"}, refused=("docs/Vault",)
    )
    done = rollback(tmp_path, WordEmbedder())
    assert (done.relabelled, done.refused) == (2, 1)
    public, hr = frozenset({PUBLIC}), frozenset({PUBLIC, "hr"})
    assert shown(tmp_path, "all about the gate attic cellar vault", public) == {"Attic", "Cellar"}
    assert "Gate" in shown(tmp_path, "all about the gate", hr)
    assert done.changes is not None
    assert done.changes.added == ("docs/Cellar",)
    assert rollback(tmp_path, WordEmbedder()).after == second  # and forward again


@pytest.mark.parametrize("text", [PLAN, f"{PLAN} Not before May.", "Heron is bought."])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_moved_and_was_restricted_since_is_for_its_readers_of_now(
    tmp_path: Path, text: str, is_replaced: bool
) -> None:
    texts = {"Plan": PLAN, "Note": "Nothing is planned.", "Cellar": "Cool and dry."}
    labelled(tmp_path, {"Plan": PUBLIC, "Cellar": PUBLIC}, texts=texts)
    now = {"Board": "hr", "Note": PUBLIC, **({"Plan": PUBLIC} if is_replaced else {})}
    labelled(tmp_path, now, texts={**texts, "Board": text, "Plan": "It is elsewhere."})
    done = rollback(tmp_path, WordEmbedder())
    assert (done.relabelled, done.refused) == (1, 0)
    assert shown(tmp_path, PLAN, frozenset({PUBLIC})) == {"Cellar"}
    assert shown(tmp_path, PLAN, frozenset({PUBLIC, "hr"})) == {"Cellar", "Plan"}


def test_what_stands_in_a_document_for_everybody_is_for_everybody(tmp_path: Path) -> None:
    texts = dict.fromkeys(["Plan", "Board", "Copy"], PLAN)
    labelled(tmp_path, {"Plan": PUBLIC}, texts=texts)
    labelled(tmp_path, {"Board": "hr", "Copy": PUBLIC}, texts=texts)
    rollback(tmp_path, WordEmbedder())
    assert shown(tmp_path, PLAN, frozenset({PUBLIC})) == {"Plan"}


def test_what_moved_into_documents_for_others_each_is_for_nobody(tmp_path: Path) -> None:
    texts = {"Plan": PLAN, "Board": "Heron is bought.", "Bank": "It costs three million."}
    labelled(tmp_path, {"Plan": PUBLIC}, texts=texts)
    labelled(tmp_path, {"Board": "hr", "Bank": "money"}, texts=texts)
    assert rollback(tmp_path, WordEmbedder()).refused == 1


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_may_have_moved_where_nobody_can_read_it_does_not_come_back(
    tmp_path: Path, is_damaged: bool
) -> None:
    labelled(tmp_path, {"Plan": PUBLIC, "Cellar": PUBLIC})
    refused = () if is_damaged else ("docs/Board",)
    second = labelled(tmp_path, {"Cellar": PUBLIC, "Attic": "hr"}, refused=refused)
    if is_damaged:
        cut(tmp_path / second.name / "passages.jsonl")
    rollback(tmp_path, WordEmbedder())
    assert shown(tmp_path, "all about the plan", frozenset({PUBLIC, "hr"})) == {"Cellar"}


@pytest.mark.parametrize("damage", [flip_a_bit, cut, Path.unlink])
@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "documents.jsonl"])
def test_nor_does_damage_bring_an_older_label_back(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    labelled(tmp_path, {"Gate": "public", "Cellar": "public"})
    second = labelled(tmp_path, {"Gate": "hr", "Cellar": "public"})
    damage(tmp_path / second.name / name)
    rollback(tmp_path, WordEmbedder())
    assert shown(tmp_path, "all about the gate", frozenset({PUBLIC})) == {"Cellar"}


def test_where_nothing_tells_the_labels_of_now_there_is_no_way_back(tmp_path: Path) -> None:
    labelled(tmp_path, {"Gate": "public"})
    second = labelled(tmp_path, {"Gate": "hr"})
    for name in ("manifest.json", "documents.jsonl"):
        (tmp_path / second.name / name).write_bytes(b"")
    with pytest.raises(IndexCorruptError, match="for whom its documents are"):
        rollback(tmp_path)
    assert current(tmp_path).name == second.name


def test_a_damaged_pointer_is_no_reason_to_leave_a_source_out(tmp_path: Path) -> None:
    only = labelled(tmp_path, {"Gate": "public"})
    (tmp_path / "current").write_text("???")
    done = rollback(tmp_path, WordEmbedder(), sources=["docs"])
    assert (done.after, done.refused) == (only, 0)


def test_a_folder_that_holds_an_older_generation_is_noticed(tmp_path: Path) -> None:
    first, second = build(tmp_path, {"Old": "The old text."}), build(tmp_path, TEXTS)
    shutil.rmtree(tmp_path / second.name)
    shutil.copytree(tmp_path / first.name, tmp_path / second.name)
    with pytest.raises(IndexCorruptError, match=f"holds the generation {first.name}"):
        load_index(tmp_path, WordEmbedder())


@pytest.mark.parametrize("made_otherwise", [{"splitter": SPLITTER_VERSION - 1}, {"seed": 1}])
def test_a_generation_that_could_not_be_searched_is_not_rolled_back_to(
    tmp_path: Path, made_otherwise: dict[str, int]
) -> None:
    build(tmp_path, TEXTS, **made_otherwise)
    second = build(tmp_path, TEXTS)
    with pytest.raises(IndexMismatchError):
        rollback(tmp_path, WordEmbedder())
    assert current(tmp_path).name == second.name


def test_there_must_be_a_sound_generation_to_roll_back_to(tmp_path: Path) -> None:
    first = build(tmp_path, TEXTS)
    with pytest.raises(IndexNotFoundError):
        rollback(tmp_path)
    build(tmp_path, TEXTS)
    flip_a_bit(tmp_path / first.name / "vectors.npy")
    with pytest.raises(IndexCorruptError):
        rollback(tmp_path)
    assert current(tmp_path).name != first.name


def test_readers_get_whole_generations_while_others_are_published(tmp_path: Path) -> None:
    build(tmp_path, {"0": "text 0"})
    stop = threading.Event()
    sizes: list[bool] = []

    def read() -> None:
        while not stop.is_set():
            index = load_index(tmp_path, WordEmbedder())
            same = len(index.passages) == len(index.vectors) == index.dense.size
            sizes.append(same and len(index.passages) == index.manifest.passages)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 9):
        build(tmp_path, {str(i): f"text {i}" for i in range(n)})
    stop.set()
    reader.join()
    assert sizes
    assert all(sizes)


def test_an_empty_index_can_be_written_and_loaded(tmp_path: Path) -> None:
    build(tmp_path, {})
    index = load_index(tmp_path, WordEmbedder())
    assert ([*index.passages], index.vectors.shape) == ([], (0, 64))
    assert np.isfinite(index.vectors).all()
