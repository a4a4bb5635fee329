from __future__ import annotations

from collections.abc import Iterator

import pytest

from retrieval.answering.rewriting import rewritten
from retrieval.llm.remote import RemoteGenerator, load_remote
from retrieval.records import Message
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer, Fault

THREAD = (Message("user", "病假有几天？"), Message("assistant", "每年有12天。[1]"))


@pytest.fixture
def server() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


@pytest.fixture
def generator(server: EndpointServer) -> RemoteGenerator:
    return load_remote(Settings(generator=f"{server.url}/v1"))


def test_a_question_is_rewritten_in_its_language(
    server: EndpointServer, generator: RemoteGenerator
) -> None:
    server.first.append("问题：“实习生的病假有几天？”")
    assert rewritten(generator, "实习生呢？", THREAD) == "实习生的病假有几天？"
    assert server.asked[0]["messages"][1]["content"] == (
        '提问: "病假有几天？"\n回答: "每年有12天。[1]"\n问题: "实习生呢？"'
    )


def test_without_an_earlier_question_nothing_is_asked(
    server: EndpointServer, generator: RemoteGenerator
) -> None:
    assert rewritten(generator, "实习生呢？", THREAD[1:]) is None
    assert server.asked == []


def test_a_model_that_takes_too_long_is_left(
    server: EndpointServer, generator: RemoteGenerator
) -> None:
    server.faults.append(Fault("hang"))
    assert rewritten(generator, "实习生呢？", THREAD, longest_s=0.0) is None
    assert server.left.wait(5)


def test_what_was_cut_at_its_limit_is_no_question(
    server: EndpointServer, generator: RemoteGenerator
) -> None:
    server.first.append("实习生的病假有几天")
    server.finish = "length"
    assert rewritten(generator, "实习生呢？", THREAD) is None


def test_a_pasted_file_does_not_fill_the_prompt(
    server: EndpointServer, generator: RemoteGenerator
) -> None:
    server.first.append("实习生的病假有几天？")
    pasted = Message("user", "很长" * 10_000)
    assert rewritten(generator, "实习生呢？", [*THREAD, pasted]) is not None
    assert len(server.asked[0]["messages"][1]["content"]) < 1_000
