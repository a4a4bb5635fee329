from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from retrieval.errors import GeneratorError, PromptTooLongError
from retrieval.llm.chat_format import load_chat_format
from retrieval.llm.generator import (
    Generator,
    LocalGenerator,
    load_generator,
    load_model,
    make_loop,
)
from retrieval.models.device import Device
from retrieval.settings import Settings
from tests.retrieval.llm.model_kinds import BATCHED, ONE_BY_ONE, made
from tests.retrieval.llm.tiny_models import (
    CHAT,
    END_ID,
    byte_tokenizer,
    save_causal,
    save_seq2seq,
)

ASKED = [("user", "How many?")]
SEVERAL = ["How many days of leave do I have?", "Why?", "And who grants them, in winter?"]


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


ENDS_EARLY = """
import sys
from retrieval.llm.generation_loop import GenerationRequest
from retrieval.llm.generator import load_generator
from retrieval.settings import Settings

generator = load_generator(Settings(generator=sys.argv[1], device="cpu", threads=1))
texts = [GenerationRequest([n] * 200, 300) for n in range(1, 9)]
for text in texts:
    generator._loop.submit(text)
texts[0].tokens.get()
"""


@pytest.mark.slow
@pytest.mark.parametrize("save", [save_causal, save_seq2seq])
def test_a_program_that_ends_while_its_model_computes_does_not_crash(
    save: Callable[[Path], Path], tmp_path: Path
) -> None:
    program = [sys.executable, "-c", ENDS_EARLY, str(save(tmp_path / "model"))]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)  # noqa: S603
    assert (ended.returncode, ended.stderr) == (0, "")


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


def test_a_listener_may_ask_the_generator_itself(generator: Generator) -> None:
    told: list[str] = []

    def ask(_: str) -> None:
        told.append(generator.generate(ASKED, max_tokens=4).text)

    alone = generator.generate(ASKED, max_tokens=4).text
    completion = generator.generate([("user", "Print the letters")], max_tokens=10, on_text=ask)
    assert completion.tokens > 0
    assert set(told) == {alone}


def test_a_prompt_that_does_not_fit_is_refused(causal: Generator) -> None:
    with pytest.raises(PromptTooLongError, match="takes 1 to 512"):
        causal.generate([("user", "x" * 500)], max_tokens=20)


def test_a_closed_generator_refuses(tmp_path: Path) -> None:
    for save in (save_causal, save_seq2seq):
        generator = load(save(tmp_path / save.__name__))
        generator.close()
        with pytest.raises(GeneratorError, match="closed"):
            generator.generate(ASKED, max_tokens=5)


def test_who_uses_a_generator_last_lets_it_go(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    generator = load(save_causal(tmp_path))
    (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "generator")
    assert generator.generate([("user", "ab")], max_tokens=2).tokens <= 2
    del generator
    gc.collect()
    assert not thread.is_alive()


@pytest.fixture(scope="module", params=[*BATCHED, *ONE_BY_ONE], ids=lambda kind: kind.__name__)
def kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PreTrainedModel, LocalGenerator]]:
    """A model as it was made, and the generator that was loaded from its files."""
    model, folder = made(request.param), tmp_path_factory.mktemp(request.param.__name__)
    model.save_pretrained(folder)
    byte_tokenizer(chat_template=CHAT).save_pretrained(folder)
    # In the same precision as the model: sums of bfloat16 depend on what they are summed with.
    device, chat_format = Device("cpu", torch.float32, 1), load_chat_format(folder)
    loaded = load_model(folder, device, "causal")
    generator = LocalGenerator.of("tiny", loaded, chat_format, partial(make_loop, device=device))
    yield model, generator
    generator.close()


def greedy(model: PreTrainedModel, question: str) -> tuple[str, float]:
    """What transformers generates for a question, and its mean log-probability."""
    tokenizer = byte_tokenizer(chat_template=CHAT)
    prompt = torch.tensor([tokenizer.encode(f"<user>{question}<assistant>")])
    generate: Any = model.generate
    output = generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=16,
        do_sample=False,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    ids = output.sequences[0, prompt.shape[1] :]
    logprobs = torch.cat(output.logits).log_softmax(dim=-1).amax(dim=-1)
    text = str(tokenizer.decode(ids, skip_special_tokens=True))
    return text.rstrip("\ufffd"), float(logprobs[ids != END_ID].mean())


def test_a_model_of_any_kind_answers_as_transformers_has_it_answer(
    kind: tuple[PreTrainedModel, LocalGenerator],
) -> None:
    model, generator = kind
    pieces: list[str] = []
    completion = generator.generate([("user", SEVERAL[0])], max_tokens=16, on_text=pieces.append)
    text, logprob = greedy(model, SEVERAL[0])
    assert (completion.text, "".join(pieces)) == (text, text)
    assert completion.mean_logprob == pytest.approx(logprob, abs=1e-3)


def test_a_model_of_any_kind_answers_several_at_once_as_it_does_each(
    kind: tuple[PreTrainedModel, LocalGenerator],
) -> None:
    model, generator = kind
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(generator.generate, [("user", q)], max_tokens=16) for q in SEVERAL]
    assert [answer.result().text for answer in asked] == [greedy(model, q)[0] for q in SEVERAL]


def test_a_model_of_any_kind_stops_when_told(
    kind: tuple[PreTrainedModel, LocalGenerator],
) -> None:
    _, generator = kind
    completion = generator.generate(ASKED, max_tokens=300, should_stop=lambda: True)
    assert completion.stopped
    assert completion.tokens == 1
