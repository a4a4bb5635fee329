from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import BusyError, SettingsError
from retrieval.index.building import publish_vectors, update_index
from retrieval.index.content import read_content
from retrieval.index.generation import current, load_index, relabel, verify
from retrieval.records import PUBLIC, Source
from retrieval.registry.folders import building, kept, served
from retrieval.serving.retriever import roll_back
from retrieval.settings import Settings, SourceTable
from retrieval.sources.connector import Connector, Omission, SourceSettings, sources_of
from retrieval.sources.mirror import label_of, labels_held
from retrieval.sources.syncing import Pulled, pull, pull_source, results, sweep
from tests.retrieval.sources.shelf import Feed, Shelf, bodies
from tests.retrieval.word_embedder import WordEmbedder

ANN, BEN = "ann@example.com", "ben@example.com"


class Desk:
    """Syncs a shelf and indexes what came of it."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, sources={"shelf": SourceTable(kind="shelf")})
        self.embedder = WordEmbedder()
        self.folder = self.settings.sources_folder / "shelf"

    @property
    def source(self) -> SourceSettings:
        return sources_of(self.settings)["shelf"]

    def pull(
        self, connector: Connector, *, full: bool = False, allow_empty: bool = False
    ) -> Pulled:
        return pull_source(
            self.settings, self.source, connector, full=full, allow_empty=allow_empty
        )

    def sync(self, connector: Connector) -> int:
        """How many texts had to be embedded for it."""
        self.pull(connector)
        return update_index((), self.settings, self.embedder).embedded

    def sources(self) -> dict[str, Source]:
        generation = served(self.settings.index_folder)
        assert generation
        return {source.id: source for source in read_content(generation).sources}

    def texts(self) -> set[str]:
        generation = served(self.settings.index_folder)
        assert generation
        return {passage.text for passage in read_content(generation).passages}

    def holds(self, email: str) -> list[str]:
        return labels_held(self.settings.sources_folder, email)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


def shelf_of(**texts: str) -> Shelf:
    shelf = Shelf()
    for key, text in texts.items():
        shelf.put(key, text)
    return shelf


def test_a_document_has_what_its_source_says_of_it(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put(
        "17",
        "# Inside\n\nThere are 27 days.",
        name="Space/Leave policy.md",
        title="Leave",
        url="https://wiki.example/17",
        owner="Ann",
    )
    desk.sync(shelf)
    source = desk.sources()["shelf/Space/Leave policy.md"]
    assert (source.title, source.url, source.owner) == ("Leave", "https://wiki.example/17", "Ann")
    assert source.modified == "2026-11-01T00:00:00+00:00"
    assert source.audience == PUBLIC


def test_only_what_is_new_is_fetched(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two", c="three")
    assert desk.pull(shelf).new == 3
    shelf.put("b", "two and a half", "2")
    shelf.fetched.clear()
    pulled = desk.pull(shelf)
    assert shelf.fetched == ["b"]
    assert (pulled.new, pulled.changed, pulled.unchanged, pulled.gone) == (0, 1, 2, 0)


def test_what_a_whole_listing_does_not_name_has_gone(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two", c="three")
    desk.sync(shelf)
    shelf.take("b")
    assert desk.pull(shelf).gone == 1
    update_index((), desk.settings, desk.embedder)
    assert desk.texts() == {"one", "three"}


def test_a_source_that_names_next_to_nothing_of_a_sudden_stays_as_it_was(desk: Desk) -> None:
    shelf = shelf_of(**{f"d{number}": f"text {number}" for number in range(12)})
    desk.sync(shelf)
    for number in range(11):
        shelf.take(f"d{number}")
    shelf.restrict("d11", "2", frozenset({ANN}))
    pulled = desk.pull(shelf)
    assert pulled.error
    assert "names 1 of the 12 documents" in pulled.error
    assert "whimbrel sync shelf --allow-empty" in pulled.error
    update_index((), desk.settings, desk.embedder)
    assert len(desk.texts()) == 12
    assert desk.sources()["shelf/d11.md"].audience != PUBLIC  # what it says of whom holds at once
    assert desk.pull(shelf).error
    assert desk.pull(shelf, allow_empty=True).gone == 11
    assert desk.pull(shelf).error is None


def test_a_feed_that_is_empty_of_a_sudden_is_listed_whole_again(desk: Desk) -> None:
    feed = Feed()
    for key in "abcdefghijkl":
        feed.put(key, key)
    desk.pull(feed)
    held, feed.documents = feed.documents, {}
    assert desk.pull(feed, full=True).error
    feed.documents = held
    pulled = desk.pull(feed)
    assert (pulled.error, pulled.unchanged) == (None, 12)
    assert feed.listed_from == [None, None, None]


def test_another_address_may_have_fewer_documents(desk: Desk) -> None:
    desk.sync(shelf_of(a="one", b="two", c="three"))
    table = SourceTable.model_validate({"kind": "shelf", "url": "https://elsewhere"})
    desk.settings = desk.settings.model_copy(update={"sources": {"shelf": table}})
    broken = Shelf(breaks_after=0)
    assert desk.pull(broken).error
    assert desk.pull(Shelf()).gone == 3


def test_a_listing_that_breaks_keeps_what_there_was(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two", c="three")
    desk.sync(shelf)
    shelf.breaks_after = 1
    pulled = desk.pull(shelf)
    assert pulled.error == "the shelf fell down"
    update_index((), desk.settings, desk.embedder)
    assert desk.texts() == {"one", "two", "three"}


def test_a_listing_that_broke_goes_on_where_it_was_kept(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two", c="three", d="four")
    desk.pull(shelf)
    shelf.take("c")
    shelf.breaks_after = 1
    desk.pull(shelf)
    shelf.breaks_after = None
    assert desk.pull(shelf).gone == 1
    assert shelf.listed_from == [None, None, "2", None]


def test_what_was_restricted_after_a_listing_broke_is_restricted_at_its_end(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two", c="three", d="four")
    shelf.breaks_after = 1
    desk.sync(shelf)
    shelf.restrict("a", "2", frozenset({ANN}))
    shelf.breaks_after = None
    desk.sync(shelf)
    assert desk.sources()["shelf/a.md"].audience != PUBLIC


def test_changes_are_asked_for_from_the_last_cursor_on(desk: Desk) -> None:
    feed = Feed()
    feed.put("a", "one")
    feed.put("b", "two")
    desk.pull(feed)
    feed.change("a", "one more", "2")
    feed.change("b", None)
    pulled = desk.pull(feed)
    assert feed.listed_from == [None, "0"]
    assert (pulled.changed, pulled.gone, pulled.unchanged) == (1, 1, 0)
    assert desk.pull(feed).changed == 0


def test_a_cursor_that_is_known_no_more_lists_everything_again(desk: Desk) -> None:
    feed = Feed()
    feed.put("a", "one")
    feed.put("b", "two")
    desk.pull(feed)
    feed.take("b")
    feed.forgotten = 1
    assert desk.pull(feed).gone == 1
    assert feed.listed_from == [None, "0", None]


def test_everything_is_listed_again_on_request(desk: Desk) -> None:
    feed = Feed()
    feed.put("a", "one")
    desk.pull(feed)
    feed.take("a")
    assert desk.pull(feed, full=True).gone == 1


def test_a_body_that_could_not_be_had_is_asked_for_again(desk: Desk) -> None:
    feed = Feed()
    feed.put("a", "one")
    feed.unreadable = {"a": 500}
    pulled = desk.pull(feed)
    assert pulled.left_out == (Omission("a", "shelf/a.md", "answered with status 500"),)
    feed.unreadable = {}
    assert desk.pull(feed).new == 1
    assert feed.fetched == ["a", "a"]


def test_an_older_version_stays_where_as_many_may_read_the_new_one(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("a", "one", readers=frozenset({ANN}))
    desk.sync(shelf)
    shelf.put("a", "two", "2", readers=frozenset({ANN, BEN}))
    shelf.unreadable = {"a": 500}
    desk.sync(shelf)
    assert desk.texts() == {"one"}
    assert desk.sources()["shelf/a.md"].audience == label_of("shelf", frozenset({ANN}))


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_may_not_be_fetched_any_more_is_not_shown_as_it_was(desk: Desk, status: int) -> None:
    shelf = shelf_of(a="one", b="two")
    desk.sync(shelf)
    shelf.put("a", "one more", "2")
    shelf.unreadable = {"a": status}
    desk.sync(shelf)
    assert desk.texts() == {"two"}


def test_what_changed_since_it_was_listed_is_not_shown_until_it_is_listed_again(
    desk: Desk,
) -> None:
    shelf = shelf_of(a="one", b="two")
    desk.sync(shelf)
    shelf.put("a", "one more", "2")
    shelf.has_changed = {"a"}
    desk.sync(shelf)
    assert desk.texts() == {"two"}
    assert [left.name for left in results(desk.settings)[0].left_out] == ["shelf/a.md"]
    shelf.has_changed = set()
    desk.sync(shelf)
    assert desk.texts() == {"one more", "two"}


def test_an_older_version_goes_where_fewer_may_read_the_new_one(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two")
    desk.sync(shelf)
    shelf.put("a", "one", "2", readers=frozenset({ANN}))
    shelf.unreadable = {"a": 500}
    desk.sync(shelf)
    assert desk.texts() == {"two"}


def test_the_last_document_that_may_not_be_shown_leaves_an_empty_index(desk: Desk) -> None:
    shelf = shelf_of(a="one")
    desk.sync(shelf)
    shelf.take("a")
    shelf.left_out = [Omission("a", "a.md", "is for a group that is unknown")]
    desk.sync(shelf)
    assert desk.texts() == set()


def test_readers_become_a_label_that_exactly_they_hold(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("a", "for ann", readers=frozenset({ANN}))
    shelf.put("b", "for both", readers=frozenset({ANN, BEN}))
    shelf.put("c", "for all")
    desk.sync(shelf)
    labels = {id_: source.audience for id_, source in desk.sources().items()}
    assert set(desk.holds(ANN)) == {labels["shelf/a.md"], labels["shelf/b.md"]}
    assert desk.holds(BEN) == [labels["shelf/b.md"]]
    assert desk.holds("eve@example.com") == []
    assert labels["shelf/c.md"] == PUBLIC


def test_who_loses_a_document_loses_its_label_at_once(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("a", "for both", readers=frozenset({ANN, BEN}))
    desk.sync(shelf)
    shelf.put("a", "for both", "2", readers=frozenset({ANN}))
    desk.pull(shelf)
    assert desk.holds(BEN) == []
    update_index((), desk.settings, desk.embedder)
    assert [source.audience for source in desk.sources().values()] == desk.holds(ANN)


def test_what_nobody_may_read_is_left_out(desk: Desk) -> None:
    shelf = shelf_of(b="two")
    shelf.put("a", "one", readers=frozenset())
    assert desk.pull(shelf).left_out[0].reason == "is for nobody who can be told"
    desk.sync(shelf)
    assert desk.texts() == {"two"}


def test_everybody_at_a_source_is_whom_the_settings_say(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(
        update={"sources": {"shelf": SourceTable(kind="shelf", audience="staff")}}
    )
    desk.sync(shelf_of(a="one"))
    assert desk.sources()["shelf/a.md"].audience == "staff"


def test_an_address_that_leads_to_a_place_in_a_page_stays_as_it_is(desk: Desk) -> None:
    shelf = Shelf()
    url = "https://wiki.example/page#part"
    shelf.put("a", '<h1 id="top">Leave</h1><p>27 days</p>', name="a.html", url=url)
    desk.sync(shelf)
    generation = served(desk.settings.index_folder)
    assert generation
    (passage,) = read_content(generation).passages
    assert (passage.anchor, passage.link) == ("top", url)


def test_a_line_that_is_lost_makes_nothing_public(desk: Desk) -> None:
    shelf = shelf_of(a="one")
    table = SourceTable(kind="shelf", audience="staff")
    desk.settings = desk.settings.model_copy(update={"sources": {"shelf": table}})
    desk.sync(shelf)
    lost = {"shelf": SourceTable(kind="shelf")}
    desk.settings = desk.settings.model_copy(update={"sources": lost})
    assert "audience was" in str(desk.pull(shelf).error)
    with pytest.raises(SettingsError, match="audience was"):
        update_index((), desk.settings, desk.embedder)
    said = {"shelf": SourceTable(kind="shelf", audience="public")}
    desk.settings = desk.settings.model_copy(update={"sources": said})
    desk.sync(shelf)
    assert desk.sources()["shelf/a.md"].audience == PUBLIC


def test_a_source_that_cannot_be_connected_keeps_none_of_the_others(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("one")
    folder = SourceTable.model_validate({"kind": "folder", "path": str(tmp_path / "docs")})
    sources = {"shelf": SourceTable(kind="shelf"), "docs": folder}
    desk.settings = desk.settings.model_copy(update={"sources": sources})
    broken, docs = pull(desk.settings)
    assert "there is no 'shelf'" in str(broken.error)
    assert (docs.error, docs.new) == (None, 1)


def test_a_mirror_that_is_damaged_ends_its_source_alone(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("one")
    folder = SourceTable.model_validate({"kind": "folder", "path": str(tmp_path / "docs")})
    sources = {"lost": folder, "docs": folder, "shelf": SourceTable(kind="shelf")}
    desk.settings = desk.settings.model_copy(update={"sources": sources})
    pull(desk.settings)
    for name in ("lost", "shelf"):
        for path in (desk.settings.sources_folder / name).glob("mirror.db*"):
            path.write_bytes(b"garbage" * 1000 if path.suffix == ".db" else b"")
    lost, docs, shelf = pull(desk.settings)
    assert "is damaged" in str(lost.error)
    assert "is damaged" in str(shelf.error)
    assert (docs.error, docs.unchanged) == (None, 1)
    report = update_index((), desk.settings, desk.embedder)
    assert [failure.id for failure in report.failures] == ["lost", "shelf"]
    assert set(desk.sources()) == {"docs/a.md"}
    sweep(desk.settings)
    assert ["is damaged" in str(result.error) for result in results(desk.settings)] == [1, 0, 1]


def test_a_document_may_narrow_who_reads_it_and_never_widen(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("narrows", "---\naudience: hr\n---\nfor hr")
    shelf.put("widens", "---\naudience: public\n---\nfor ann", readers=frozenset({ANN}))
    shelf.put("differs", "---\naudience: hr\n---\nfor whom", readers=frozenset({ANN}))
    desk.sync(shelf)
    assert desk.sources()["shelf/narrows.md"].audience == "hr"
    assert desk.sources()["shelf/widens.md"].audience == label_of("shelf", frozenset({ANN}))
    assert "shelf/differs.md" not in desk.sources()


def test_metadata_that_change_do_not_embed_a_text_again(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two")
    assert desk.sync(shelf) == 2
    shelf.put("a", "one", "2", url="https://wiki.example/a", readers=frozenset({ANN}))
    assert desk.sync(shelf) == 0
    source = desk.sources()["shelf/a.md"]
    assert source.url == "https://wiki.example/a"
    assert source.audience == label_of("shelf", frozenset({ANN}))


def test_a_document_that_is_for_all_again_is_for_all_again(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("a", "one", readers=frozenset({ANN}))
    desk.sync(shelf)
    shelf.put("a", "one", "2")
    desk.sync(shelf)
    assert desk.sources()["shelf/a.md"].audience == PUBLIC


def test_metadata_that_change_without_a_version_are_kept(desk: Desk) -> None:
    shelf = shelf_of(a="one")
    desk.sync(shelf)
    shelf.documents["a"] = replace(shelf.documents["a"], readers=frozenset({ANN}))
    desk.sync(shelf)
    assert desk.sources()["shelf/a.md"].audience == label_of("shelf", frozenset({ANN}))
    assert shelf.fetched == ["a"]


def test_two_documents_of_one_name_have_two_ids(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("a", "one", name="Page.md")
    shelf.put("b", "two", name="Page.md")
    desk.sync(shelf)
    before = set(desk.sources())
    assert len(before) == 2
    shelf.take("a")
    desk.sync(shelf)
    assert set(desk.sources()) < before


def test_a_name_that_imitates_an_id_of_another_document_keeps_none_from_being_read(
    desk: Desk,
) -> None:
    shelf = Shelf()
    for key in ("a", "b"):
        shelf.put(key, f"text {key}", name="Page.md")
    desk.sync(shelf)
    [imitated] = {id_.partition("/")[2] for id_ in desk.sources()} - {"Page.md"}
    shelf = Shelf()
    shelf.put("0", "imitates", name=imitated)
    for key in ("a", "b", "c"):
        shelf.put(key, f"text {key}", name="Page.md")
    other = Desk(desk.settings.home.with_name("other"))
    assert other.pull(shelf).error is None
    other.sync(shelf)
    assert other.texts() == {"imitates", "text a", "text b", "text c"}


@pytest.mark.parametrize("name", ["../../etc/passwd.md", "/etc/passwd.md", "a/./b\n.md", "\x00.md"])
def test_a_name_leads_nowhere(desk: Desk, name: str) -> None:
    shelf = Shelf()
    shelf.put("a", "one", name=name)
    desk.sync(shelf)
    (id_,) = desk.sources()
    assert id_.startswith("shelf/")
    assert ".." not in id_
    assert id_.isprintable()


def test_what_goes_leaves_no_body_behind(desk: Desk) -> None:
    shelf = shelf_of(a="one", b="two")
    desk.pull(shelf)
    shelf.take("a")
    shelf.put("b", "three", "2")
    desk.pull(shelf)
    desk.pull(shelf)
    assert bodies(desk.folder) == ["three"]


def test_a_type_that_is_not_read_is_named_and_not_fetched(desk: Desk) -> None:
    shelf = Shelf()
    shelf.put("a", "one", name="a.xyz")
    shelf.put("b", "two", name="b.css")
    left_out = desk.pull(shelf).left_out
    assert [left.reason for left in left_out] == ["is of a type that is not read (.xyz)"]
    assert shelf.fetched == []


def test_types_that_are_read_as_plain_text_are_read_at_sources_too(desk: Desk) -> None:
    feed = Feed()
    feed.put("a", "one", name="a.log")
    feed.put("b", "two", name="b.xyz")
    feed.put("c", "three")
    desk.sync(feed)
    assert desk.sources().keys() == {"shelf/c.md"}
    desk.settings = desk.settings.model_copy(update={"text_types": (".log", ".xyz")})
    desk.sync(feed)
    assert desk.sources().keys() == {"shelf/a.log", "shelf/b.xyz", "shelf/c.md"}
    assert feed.fetched == ["c", "a", "b"]
    desk.settings = desk.settings.model_copy(update={"text_types": ()})
    desk.sync(feed)
    assert "shelf/a.log" not in desk.sources()


def test_a_body_that_is_too_large_is_named(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"max_file_mb": 1})
    shelf = shelf_of(a="x" * 2_000_000)
    assert desk.pull(shelf).left_out[0].reason == "is larger than 1 MB"


def test_another_address_takes_nothing_for_known(desk: Desk) -> None:
    desk.pull(shelf_of(a="one"))
    elsewhere = SourceTable(kind="shelf", url="https://other.example")
    desk.settings = desk.settings.model_copy(update={"sources": {"shelf": elsewhere}})
    other = shelf_of(a="another")
    desk.pull(other)
    assert other.fetched == ["a"]


def test_a_body_that_the_disk_lost_is_fetched_again(desk: Desk) -> None:
    shelf = shelf_of(a="one")
    desk.pull(shelf)
    for path in (desk.folder / "bodies").iterdir():
        path.unlink()
    desk.pull(shelf)
    assert bodies(desk.folder) == ["one"]


def test_an_odd_document_is_told_and_keeps_none_behind_it_from_being_read(desk: Desk) -> None:
    shelf = shelf_of(a="one")
    desk.pull(shelf)
    shelf.put("a", "two", "2")
    shelf.texts.clear()
    shelf.put("b", "behind it")
    pulled = desk.pull(shelf)
    assert (pulled.error, pulled.new) == (None, 1)
    assert [left.reason for left in pulled.left_out] == ["cannot be read (KeyError)"]
    assert shelf.is_closed


def test_a_folder_may_not_be_called_like_a_source(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "a.md").write_text("one")
    with pytest.raises(SettingsError, match="call the source otherwise"):
        update_index([folder], desk.settings, desk.embedder)


def test_folders_and_sources_are_indexed_together(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("from a folder")
    desk.pull(shelf_of(a="from a source"))
    update_index([tmp_path / "docs"], desk.settings, desk.embedder)
    update_index((), desk.settings, desk.embedder)
    assert desk.texts() == {"from a folder", "from a source"}


def test_a_source_that_is_named_no_more_leaves_nothing(desk: Desk) -> None:
    desk.sync(shelf_of(a="one", b="two"))
    desk.settings = desk.settings.model_copy(update={"sources": {}})
    pull(desk.settings)
    assert not desk.folder.exists()
    assert desk.holds(ANN) == []


@pytest.mark.parametrize("is_name_reused", [False, True])
def test_what_was_restricted_and_renamed_does_not_come_back_with_its_old_name(
    desk: Desk, is_name_reused: bool
) -> None:
    shelf = Shelf()
    shelf.put("a", "the plan", name="plan.md", url="https://shelf/1")
    shelf.put("b", "kept", url="https://shelf/2")
    desk.sync(shelf)
    shelf.put("a", "the plan", "2", name="moved.md", readers=frozenset({ANN}))
    if is_name_reused:
        shelf.put("c", "another plan", name="plan.md", url="https://shelf/3")
    desk.sync(shelf)
    done = roll_back(desk.settings, desk.embedder, reason="by hand")
    assert (done.relabelled, done.refused) == (0, 1)
    assert desk.texts() == {"kept"}


def test_a_rollback_shows_nothing_of_a_source_where_damage_hides_what_is_there(
    desk: Desk, tmp_path: Path
) -> None:
    shelf = shelf_of(a="the plan", b="kept")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "c.md").write_text("from a folder")
    desk.pull(shelf)
    update_index([tmp_path / "docs"], desk.settings, desk.embedder)
    shelf.put("a", "the plan", "2", name="moved.md", readers=frozenset({ANN}))
    desk.sync(shelf)
    (current(desk.settings.index_folder) / "documents.jsonl").write_bytes(b"")
    roll_back(desk.settings, desk.embedder, reason="by hand")
    assert desk.texts() == {"from a folder"}


def test_a_rollback_brings_back_a_source_that_is_named_no_more(desk: Desk) -> None:
    desk.sync(shelf_of(a="one"))
    named, desk.settings = desk.settings, desk.settings.model_copy(update={"sources": {}})
    (desk.settings.home / "docs").mkdir()
    update_index([desk.settings.home / "docs"], desk.settings, desk.embedder)
    roll_back(desk.settings, desk.embedder, reason="by hand")
    assert desk.texts() == {"one"}
    desk.settings = named
    desk.sync(shelf_of(a="one"))
    assert desk.texts() == {"one"}


def restored(desk: Desk, home: Path) -> tuple[int, int]:
    """Restore what is in the folder `then` beside the home over the home; what `relabel` gives."""
    then, folder = desk.settings.home / "then", home / "index"
    done = relabel(then, folder, sources=())
    shutil.rmtree(folder, ignore_errors=True)
    home.mkdir(exist_ok=True)
    shutil.move(then, folder)
    desk.settings = desk.settings.model_copy(update={"home": home})
    return done


@pytest.fixture
def shelf_restricted_since(desk: Desk, tmp_path: Path) -> Shelf:
    """One whose index of before `a` was restricted and `b` renamed and restricted was kept."""
    shelf = shelf_of(a="one", b="two", c="three")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "d.md").write_text("four")
    desk.pull(shelf)
    update_index([tmp_path / "docs"], desk.settings, desk.embedder)
    shutil.copytree(desk.settings.index_folder, desk.settings.home / "then")
    shelf.put("a", "one", "2", readers=frozenset({ANN}))
    shelf.put("b", "two", "2", name="moved.md", readers=frozenset({ANN}))
    desk.sync(shelf)
    return shelf


def test_what_is_restored_has_the_labels_of_now(desk: Desk, shelf_restricted_since: Shelf) -> None:
    (label,) = desk.holds(ANN)
    assert restored(desk, desk.settings.home) == (1, 1)
    labels = {id_: source.audience for id_, source in desk.sources().items()}
    assert labels == {"docs/d.md": PUBLIC, "shelf/a.md": label, "shelf/c.md": PUBLIC}
    verify(current(desk.settings.index_folder))
    desk.sync(shelf_restricted_since)
    assert desk.texts() == {"one", "two", "three", "four"}


def test_what_is_restored_elsewhere_shows_no_source_before_it_is_synced(
    desk: Desk, shelf_restricted_since: Shelf, tmp_path: Path
) -> None:
    assert restored(desk, tmp_path / "fresh") == (0, 3)
    assert desk.texts() == {"four"}
    desk.sync(shelf_restricted_since)
    assert desk.texts() == {"one", "two", "three", "four"}


def test_what_is_restored_where_damage_hides_the_labels_is_closed_until_it_is_indexed(
    desk: Desk, shelf_restricted_since: Shelf
) -> None:
    for name in ("manifest.json", "documents.jsonl"):
        (current(desk.settings.index_folder) / name).write_bytes(b"")
    assert restored(desk, desk.settings.home) == (0, 4)
    assert desk.texts() == set()
    desk.sync(shelf_restricted_since)
    assert desk.texts() == {"one", "two", "three", "four"}


@pytest.mark.usefixtures("shelf_restricted_since")
def test_no_generation_that_is_restored_has_an_older_label(desk: Desk) -> None:
    then = desk.settings.home / "then"
    index = load_index(then, desk.embedder)
    publish_vectors(then, index, desk.embedder, index.vectors)
    before = kept(then)
    restored(desk, desk.settings.home)
    after = kept(desk.settings.index_folder)
    assert before
    assert after
    assert {source.id: source.audience for source in read_content(after).sources} == {
        id_: source.audience for id_, source in desk.sources().items()
    }
    assert before.name not in [path.name for path in desk.settings.index_folder.iterdir()]


def test_one_at_a_time(desk: Desk) -> None:
    with building(desk.settings.sources_folder), pytest.raises(BusyError):
        pull(desk.settings)


def test_a_name_that_is_no_source_is_told(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="there is no source 'self'"):
        pull(desk.settings, ["self"])


def test_the_last_result_is_remembered(desk: Desk) -> None:
    assert results(desk.settings)[0].ended == ""
    pulled = desk.pull(shelf_of(a="one"))
    assert results(desk.settings) == [pulled]
