"""Models of a hub on localhost. Its address is read at import, so a child asks for each."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

COMMIT = "1234567890" * 4
WEIGHTS = b"weights of a model"
FILES = {
    "config.json": b'{"architectures": ["BertForSequenceClassification"]}',
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "model.gguf": WEIGHTS,
}
PACKAGED = """
import hashlib, sys
from pathlib import Path
from retrieval.models.catalogue import PACKAGED, PackagedModel, resolve

def unpack(data, folder):
    (folder / "config.json").write_text("{}")
    (folder / "model.bin").write_bytes(data)

for name, file in (("official", None), ("same-bytes", "model.gguf"), ("repacked", None)):
    PACKAGED[name] = PackagedModel(
        files=("installed/weights.bin" if name == "repacked" else "no_such_package/weights.bin",),
        sha256=sys.argv[2], licence="MIT", hub="some/model@" + sys.argv[3], hub_file=file,
        unpack=unpack,
    )
print(resolve(sys.argv[1], models_folder=Path(sys.argv[4])).id)
"""


class Hub(ThreadingHTTPServer):
    """As much of a hub as one model needs; `seen` are the paths that were asked for."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.broken = broken
        self.seen: list[str] = []


class Asked(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        # The library asks for this one by itself where it finds that a program drives it.
        if not self.path.startswith("/api/agent"):
            self.server.seen.append(f"{self.command} {self.path}")
        status, body = (503, b"") if self.server.broken else answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", hashlib.sha256(body).hexdigest())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def answer(path: str) -> tuple[int, bytes]:
    if path.startswith("/api/models/some/model/revision/"):
        return 200, json.dumps({"id": "some/model", "sha": COMMIT}).encode()
    if path.startswith("/api/models/some/model/tree/"):
        entries = [
            {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}  # noqa: S324
            for name, body in FILES.items()
        ]
        return 200, json.dumps(entries).encode()
    name = path.rpartition("/")[2]
    return (200, FILES[name]) if "/resolve/" in path else (200 if path == "/" else 404, b"")


@pytest.fixture
def hub() -> Iterator[Hub]:
    yield from serving(Hub())


@pytest.fixture
def broken() -> Iterator[Hub]:
    yield from serving(Hub(broken=True))


def serving(hub: Hub) -> Iterator[Hub]:
    thread = Thread(target=hub.serve_forever)
    thread.start()
    yield hub
    hub.shutdown()
    thread.join()
    hub.server_close()


def run(code: str, *arguments: str, hub: Hub, home: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HOME": str(home / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": os.pathsep.join([str(home / "site"), *sys.path]),
        "WHIMBREL_HOME": str(home),
    }
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )


def resolved(name: str, *, hub: Hub, home: Path) -> subprocess.CompletedProcess[str]:
    sha256, package = hashlib.sha256(WEIGHTS).hexdigest(), home / "site" / "installed"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "weights.bin").write_bytes(WEIGHTS)
    return run(PACKAGED, name, sha256, COMMIT, str(home / "models"), hub=hub, home=home)


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path: Path, broken: Hub) -> None:
    done = resolved("some/model", hub=broken, home=tmp_path)
    assert "status 503" in done.stderr
    assert "set HF_ENDPOINT to a mirror" in done.stderr
    assert broken.seen == ["HEAD /"]


def test_a_reranker_is_not_waited_for_either(tmp_path: Path, broken: Hub) -> None:
    code = """
from retrieval.search.reranking import load_reranker
from retrieval.settings import load_settings
load_reranker(load_settings().model_copy(update={"reranker": "some/model"}))
"""
    done = run(code, hub=broken, home=tmp_path)
    assert "some/model" in done.stderr
    assert broken.seen == ["HEAD /"]


def test_without_its_package_a_model_is_the_official_one_of_the_hub(
    tmp_path: Path, hub: Hub
) -> None:
    assert resolved("official", hub=hub, home=tmp_path).stdout == "some/model@12345678\n"


def test_without_its_package_the_same_bytes_of_the_hub_have_the_same_id(
    tmp_path: Path, hub: Hub
) -> None:
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert resolved("same-bytes", hub=hub, home=tmp_path).stdout == f"same-bytes@{sha256[:8]}\n"
    assert (tmp_path / "models" / f"same-bytes-{sha256[:8]}" / "model.bin").read_bytes() == WEIGHTS


def test_the_official_model_comes_before_a_package_of_other_bytes(
    tmp_path: Path, hub: Hub, broken: Hub
) -> None:
    official = resolved("repacked", hub=hub, home=tmp_path / "reached")
    repacked = resolved("repacked", hub=broken, home=tmp_path / "alone")
    assert official.stdout == "some/model@12345678\n"
    assert repacked.stdout == f"repacked@{hashlib.sha256(WEIGHTS).hexdigest()[:8]}\n"


def test_what_was_unpacked_once_stays_in_use(tmp_path: Path, hub: Hub, broken: Hub) -> None:
    unpacked = resolved("repacked", hub=broken, home=tmp_path).stdout
    assert resolved("repacked", hub=hub, home=tmp_path).stdout == unpacked
    assert hub.seen == []


@pytest.mark.parametrize("name", ["official", "same-bytes", f"some/model@{COMMIT}"])
def test_the_hub_is_not_asked_about_a_commit_that_is_here(
    tmp_path: Path, hub: Hub, name: str
) -> None:
    first = resolved(name, hub=hub, home=tmp_path)
    hub.seen.clear()
    assert resolved(name, hub=hub, home=tmp_path).stdout == first.stdout != ""
    assert hub.seen == []


def test_neither_package_nor_hub_tells_both_ways_to_get_a_model(
    tmp_path: Path, broken: Hub
) -> None:
    told = resolved("same-bytes", hub=broken, home=tmp_path).stderr
    assert "--require-hashes --no-deps --requirement weights/same-bytes.txt" in told
    assert "status 503" in told
