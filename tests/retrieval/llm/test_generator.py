from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retrieval.errors import GeneratorError, PromptTooLongError
from retrieval.llm.generator import Generator, load_generator
from retrieval.settings import Settings
from tests.retrieval.llm.tiny_models import save_causal, save_mamba, save_seq2seq

ASKED = [("user", "How many?")]


def load(folder: Path) -> Generator:
    return load_generator(Settings(generator=str(folder), device="cpu", threads=1))


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    generator = load(save_causal(tmp_path_factory.mktemp("causal")))
    yield generator
    generator.close()


@pytest.fixture(scope="module")
def seq2seq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    generator = load(save_seq2seq(tmp_path_factory.mktemp("seq2seq")))
    yield generator
    generator.close()


@pytest.fixture(params=["causal", "seq2seq"])
def generator(request: pytest.FixtureRequest) -> Generator:
    made: Generator = request.getfixturevalue(request.param)
    return made


def markup(generator: Generator) -> int:
    """The tokens that the chat format of the tiny model adds to a question."""
    return len("<user><assistant>") if generator.kind == "causal" else 0


def test_it_says_what_it_is(causal: Generator, seq2seq: Generator) -> None:
    assert (causal.kind, seq2seq.kind) == ("causal", "seq2seq")
    assert causal.context_tokens == 512
    assert (causal.parameters or 0) > 50_000


def test_tokens_are_counted(generator: Generator) -> None:
    assert generator.count_tokens("年假ab") == 8


def test_the_pieces_joined_are_the_completion(generator: Generator) -> None:
    pieces: list[str] = []
    completion = generator.generate(ASKED, max_tokens=20, on_text=pieces.append)
    assert "".join(pieces) == completion.text
    assert 0 < completion.first_token_s <= completion.total_s
    assert completion.tokens <= 20
    assert completion.prompt_tokens == len("How many?") + markup(generator)
    assert not completion.stopped


def test_the_same_prompt_gets_the_same_answer(generator: Generator) -> None:
    first = generator.generate(ASKED, max_tokens=10)
    assert generator.generate(ASKED, max_tokens=10).text == first.text


def test_questions_at_once_are_all_answered(generator: Generator) -> None:
    prompts = [f"{'How many' * n}?" for n in range(1, 7)]
    with ThreadPoolExecutor(6) as pool:
        completions = list(
            pool.map(lambda text: generator.generate([("user", text)], max_tokens=8), prompts)
        )
    sizes = [len(prompt) + markup(generator) for prompt in prompts]
    assert [completion.prompt_tokens for completion in completions] == sizes


def test_a_stopped_completion_keeps_its_text_so_far(generator: Generator) -> None:
    completion = generator.generate(ASKED, max_tokens=20, should_stop=lambda: True)
    assert completion.stopped
    assert completion.tokens == 1


def test_a_listener_that_fails_hurts_only_its_own_call(causal: Generator) -> None:
    def fail(_: str) -> None:
        raise ValueError("the window is gone")

    with pytest.raises(ValueError, match="the window is gone"):
        causal.generate([("user", "Print the letters")], max_tokens=60, on_text=fail)
    assert causal.generate(ASKED, max_tokens=5).tokens <= 5


def test_a_prompt_that_does_not_fit_is_refused(causal: Generator) -> None:
    with pytest.raises(PromptTooLongError, match="takes 1 to 512"):
        causal.generate([("user", "x" * 500)], max_tokens=20)


def test_a_closed_generator_refuses(tmp_path: Path) -> None:
    for save in (save_causal, save_seq2seq):
        generator = load(save(tmp_path / save.__name__))
        generator.close()
        with pytest.raises(GeneratorError, match="closed"):
            generator.generate(ASKED, max_tokens=5)


def test_a_model_that_cannot_be_batched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="mamba model"):
        load(save_mamba(tmp_path))


def test_who_uses_a_generator_last_lets_it_go(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    generator = load(save_causal(tmp_path))
    (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "generator")
    assert generator.generate([("user", "ab")], max_tokens=2).tokens <= 2
    del generator
    gc.collect()
    assert not thread.is_alive()
