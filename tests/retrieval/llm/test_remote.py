from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import (
    EndpointError,
    ModelNotFoundError,
    ModelUnsuitableError,
    PromptTooLongError,
)
from retrieval.llm.generator import Generator, load_generator
from retrieval.llm.remote import THOUGHT_TOKENS
from retrieval.models.client import RefusedError
from retrieval.registry.runs import Facts, publish, write_run
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer, Fault, Kind

ASKED = [("system", "Be brief."), ("user", "How many days?")]


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


def settings_of(server: EndpointServer, home: Path = Path("nowhere"), **more: Any) -> Settings:
    return Settings(**{"home": home, "generator": f"{server.url}/v1", **more})


def generator_of(server: EndpointServer, **more: Any) -> Generator:
    return load_generator(settings_of(server, **more))


def test_it_says_what_the_endpoint_says(server: EndpointServer) -> None:
    server.models = [{"id": "tiny", "max_model_len": 1234, "meta": {"n_params": 5}}]
    generator = generator_of(server)
    assert (generator.id, generator.context_tokens, generator.parameters) == (
        "tiny@endpoint",
        1234,
        5,
    )


def test_messages_are_sent_and_the_answer_is_streamed(server: EndpointServer) -> None:
    pieces: list[str] = []
    done = generator_of(server).generate(ASKED, max_tokens=50, on_text=pieces.append, end=["\n"])
    assert "".join(pieces) == done.text == "There are 27 days [1]."
    assert len(pieces) > 1
    assert (done.id, done.prompt_tokens, done.tokens) == ("chat-1", 11, 7)
    assert 0 < done.first_token_s <= done.total_s
    (sent,) = server.asked
    assert (sent["model"], sent["max_tokens"], sent["stop"]) == ("tiny", 50, ["\n"])
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


def test_an_endpoint_that_does_not_stream_answers_too(server: EndpointServer) -> None:
    server.faults.append(Fault("no-stream"))
    assert generator_of(server).generate(ASKED, max_tokens=50).text == "There are 27 days [1]."


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["empty", "role-only"])
def test_an_answer_without_a_word_is_a_failure(server: EndpointServer, kind: Kind) -> None:
    generator = generator_of(server)
    server.faults.append(Fault(kind))
    assert generator.generate(ASKED, max_tokens=50).text
    server.faults.extend([Fault(kind)] * 3)
    with pytest.raises(EndpointError, match="wrote nothing"):
        generator.generate(ASKED, max_tokens=50)


def test_a_stopped_completion_keeps_its_text_so_far(server: EndpointServer) -> None:
    server.faults.append(Fault("hang", after=2))
    shown = threading.Event()
    done = generator_of(server).generate(
        ASKED,
        max_tokens=50,
        on_text=lambda text: shown.set() if "are" in text else None,
        should_stop=shown.is_set,
    )
    assert (done.text, done.stopped) == ("There are ", True)
    assert server.left.wait(10)


def test_a_listener_that_fails_ends_its_call(server: EndpointServer) -> None:
    def fail(_: str) -> None:
        raise ValueError("the window is gone")

    with pytest.raises(ValueError, match="the window is gone"):
        generator_of(server).generate(ASKED, max_tokens=50, on_text=fail)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_what_a_model_thinks_is_not_shown(server: EndpointServer, name: str) -> None:
    server.pieces = [{name: "Who asks?"}, {"content": "<think>Hm.</think>"}, {"content": "Yes."}]
    pieces: list[str] = []
    generator = generator_of(server)
    assert generator.generate(ASKED, max_tokens=50, on_text=pieces.append).text == "Yes."
    assert pieces == ["Yes."]
    generator.generate(ASKED, max_tokens=50)
    assert server.asked[-1]["max_tokens"] > 50  # the next time there is room to think


def test_thoughts_that_left_no_room_are_given_more(server: EndpointServer) -> None:
    server.models = [{"id": "tiny", "max_model_len": 1 << 16}]
    server.pieces, server.finish = [{"reasoning_content": "Who asks?"}], "length"
    with pytest.raises(EndpointError, match="nothing but thoughts"):
        generator_of(server).generate(ASKED, max_tokens=50)
    assert [body["max_tokens"] for body in server.asked] == [50, 50 + THOUGHT_TOKENS]


def test_an_end_of_thought_that_nobody_expected_takes_it_back(server: EndpointServer) -> None:
    server.pieces = [{"content": "Who asks?"}, {"content": "</think>Yes."}]
    generator, pieces = generator_of(server), list[str]()
    assert generator.generate(ASKED, max_tokens=50).text == "Yes."
    generator.generate(ASKED, max_tokens=50, on_text=pieces.append)
    assert pieces == ["Yes."]  # the second time it is known


def test_parameters_that_an_endpoint_does_not_know_are_left_out(server: EndpointServer) -> None:
    server.unknown = {"max_tokens", "temperature"}
    generator = generator_of(server)
    assert generator.generate(ASKED, max_tokens=50).text
    assert "temperature" not in server.asked[-1]
    assert server.asked[-1]["max_completion_tokens"] == 50
    before = len(server.asked)
    generator.generate(ASKED, max_tokens=50)
    assert len(server.asked) == before + 1


def test_an_answer_that_was_cut_says_so(server: EndpointServer) -> None:
    server.finish = "length"
    assert generator_of(server).generate(ASKED, max_tokens=50).is_cut


def test_a_prompt_that_does_not_fit_is_not_sent(server: EndpointServer) -> None:
    with pytest.raises(PromptTooLongError, match="takes 4096"):
        generator_of(server).generate([("user", "days " * 5000)], max_tokens=50)
    assert not server.asked


def test_the_only_model_is_taken_and_of_several_one_must_be_named(server: EndpointServer) -> None:
    server.models = [{"id": "one"}, {"id": "two"}, {"id": "run-1", "parent": "one"}]
    with pytest.raises(ModelNotFoundError, match="one, two;"):
        generator_of(server)
    assert generator_of(server, generator_model="two").id == "two@endpoint"
    assert generator_of(server, generator=f"{server.url}/v1#one").id == "one@endpoint"


def test_a_wrong_key_is_told_before_the_first_question() -> None:
    with EndpointServer(key="k") as server:
        with pytest.raises(RefusedError, match="WHIMBREL_GENERATOR_KEY"):
            generator_of(server, generator_model="tiny")
        assert generator_of(server, generator_key="k").id == "tiny@endpoint"


def test_an_endpoint_that_is_not_up_yet_does_not_keep_the_bot_from_starting() -> None:
    told: list[str] = []
    with EndpointServer() as server:
        settings = settings_of(server)
    with pytest.raises(ModelNotFoundError, match="name the model"):
        load_generator(settings)
    named = settings.model_copy(update={"generator_model": "tiny"})
    assert load_generator(named, on_progress=told.append).id == "tiny@endpoint"
    assert "documents are quoted" in told[0]


def test_the_context_may_be_configured(server: EndpointServer) -> None:
    assert generator_of(server, generator_context=900).context_tokens == 900


def test_a_published_run_is_asked_for_by_its_name(server: EndpointServer, tmp_path: Path) -> None:
    settings = settings_of(server, tmp_path)
    facts = Facts(base="tiny@1", dataset="d", seed=0, code="1")
    run = write_run(settings.runs_folder, "generator", facts, lambda folder: (folder / "a").touch())
    publish(settings.runs_folder, run, reason="better")
    told: list[str] = []
    assert load_generator(settings, on_progress=told.append).id == "tiny@endpoint"
    assert f"no model named {run.id}" in told[0]
    with pytest.raises(ModelUnsuitableError, match=run.id):
        load_generator(settings, run=run)
    server.models.append({"id": run.id, "parent": "tiny"})
    generator = load_generator(settings)
    assert generator.id == f"tiny@endpoint+{run.id}"
    generator.generate(ASKED, max_tokens=5)
    assert server.asked[-1]["model"] == run.id
