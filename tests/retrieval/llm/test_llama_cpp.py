"""Against llama.cpp's own server and the embedded weights; only where `xllamacpp` is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import ModelNotFoundError
from retrieval.llm.generator import load_generator
from retrieval.models.catalogue import PACKAGED, checked, located
from retrieval.settings import Settings

NAME = "qwen2.5-coder-0.5b-instruct"
ASKED = [("user", "Write the numbers from one to twenty in words, and nothing else.")]

llama = pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder: Path = tmp_path_factory.mktemp("llama")
    try:
        files = [located(NAME, file) for file in PACKAGED[NAME].files]
    except ModelNotFoundError as error:
        pytest.skip(str(error))
    (folder / "model.gguf").write_bytes(checked(files, PACKAGED[NAME].sha256))
    options = llama.CommonParams()
    options.model.path = str(folder / "model.gguf")
    options.hostnames, options.n_ctx, options.n_parallel = ["127.0.0.1"], 2_048, 1
    options.cpuparams.n_threads = 2
    server = llama.Server(options)
    yield Settings(home=folder, generator=f"{server.listening_address}/v1", endpoints="private")
    del server


def test_it_says_what_it_is(settings: Settings) -> None:
    generator = load_generator(settings)
    assert generator.context_tokens == 2_048
    assert 4e8 < (generator.parameters or 0) < 7e8


def test_it_writes_and_stops(settings: Settings) -> None:
    generator, pieces = load_generator(settings), list[str]()
    done = generator.generate(ASKED, max_tokens=12, on_text=pieces.append)
    assert done.text == "".join(pieces)
    assert (done.tokens, done.is_cut) == (12, True)
    assert done.prompt_tokens > 10
    stopped = generator.generate(ASKED, max_tokens=500, should_stop=lambda: True)
    assert stopped.stopped
    assert generator.generate(ASKED, max_tokens=12).text == done.text
