from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import EndpointError
from retrieval.examples import Example, read_examples
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer, Fault
from tests.retrieval.word_embedder import WordEmbedder
from tests.training.distillation import lamps
from training.distillation.distilling import Distillation


def taught(lesson: Distillation, questions: int = 8) -> list[Example]:
    return read_examples(lesson.teach(questions), "train")


def card(lesson: Distillation) -> str:
    return (lesson.teach(8) / "card.md").read_text(encoding="utf-8")


def test_what_the_passages_support_is_kept_with_them_as_synthetic(lesson: Distillation) -> None:
    spoken = [example for example in taught(lesson) if example.is_good]
    assert len(spoken) == 6
    for example in spoken:
        assert example.source == "synthetic"
        assert example.answer is not None
        assert example.answer.removesuffix(" [1]") in example.passages[0].text


def test_every_fourth_question_is_one_to_decline(lesson: Distillation) -> None:
    declined = [example for example in taught(lesson) if not example.is_good]
    assert len(declined) == 2
    assert all(example.answer is None and "Who pays" in example.question for example in declined)


def test_an_answer_that_no_passage_supports_is_dropped_and_counted(
    lesson: Distillation, server: EndpointServer
) -> None:
    def invent(body: dict[str, Any]) -> str:
        said = lamps.teach(body)
        return f"{said} It costs 4,321 crowns." if "every 11 days" in said else said

    server.write = invent
    assert "| 1 | the passages do not support all of the answer" in card(lesson)
    assert not any("11 days" in (example.answer or "") for example in taught(lesson))


def test_a_question_that_its_own_teacher_cannot_answer_is_no_silence_to_learn(
    lesson: Distillation, server: EndpointServer
) -> None:
    def forget(body: dict[str, Any]) -> str:
        said = lamps.teach(body)
        return "The passages do not mention this." if "every" in said else said

    server.write = forget
    assert all("Who pays" in example.question for example in taught(lesson))


def test_what_is_no_question_or_was_asked_before_is_dropped(
    lesson: Distillation, server: EndpointServer
) -> None:
    def mumble(body: dict[str, Any]) -> str:
        said = lamps.teach(body)
        if said.endswith("?"):
            return "Lamps." if "mill" in said else "How often is lamp 1 of the tower painted?"
        return said

    server.write = mumble
    text = card(lesson)
    assert "(`no_question`)" in text
    assert "(`asked_already`)" in text


def test_what_models_write_around_a_question_is_left_out(
    lesson: Distillation, server: EndpointServer
) -> None:
    def label(body: dict[str, Any]) -> str:
        said = lamps.teach(body)
        return f'Question: "{said}"\nBecause.' if said.endswith("?") else said

    server.write = label
    assert {example.question[0] for example in taught(lesson)} == {"H", "W"}


def test_neither_restricted_documents_nor_keys_are_sent(
    lesson: Distillation, server: EndpointServer
) -> None:
    made = taught(lesson, 100)
    sent = str(server.requests)
    assert "lighthouse" in sent
    assert lamps.SECRET not in sent
    assert "lamp-4417-reed" not in sent
    assert lamps.SECRET not in str(made)


def test_what_was_broken_off_goes_on_and_nothing_is_asked_twice(
    lesson: Distillation, server: EndpointServer
) -> None:
    def run_out(body: dict[str, Any]) -> str:
        if len(server.asked) == 7:
            server.faults.append(Fault("status", 402, "no credit is left"))
        return lamps.teach(body)

    server.write = run_out
    with pytest.raises(EndpointError, match="no credit is left"):
        taught(lesson)
    server.write = lamps.teach
    assert len(taught(lesson)) == 8
    told = [str(body["messages"]) for body in server.asked]
    assert len(told) == 17
    assert len({*told}) == 16


def test_one_refused_request_drops_its_question_alone(
    lesson: Distillation, server: EndpointServer
) -> None:
    server.faults.append(Fault("status", 400, "the content filter was triggered"))
    assert "| 1 | the teacher gave no reply (`no_reply`) |" in card(lesson)


def test_several_questions_about_a_passage_are_not_the_same(lesson: Distillation) -> None:
    made = taught(lesson, 100)
    assert len(made) == len({example.question for example in made}) == 32


def test_as_many_at_once_as_one_after_the_other_come_to_the_same(
    lesson: Distillation, library: Library, server: EndpointServer, tmp_path: Path
) -> None:
    alone = taught(lesson, 20)
    folder = lamps.distillation(library, server, tmp_path / "other", at_once=8).teach(20)
    assert [example.id for example in read_examples(folder, "train")] == [
        example.id for example in alone
    ]


def test_chinese_documents_are_asked_about_in_chinese(
    server: EndpointServer, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number, place in enumerate(("北码头", "东磨坊", "西灯塔", "南渡口"), start=11):
        (docs / f"{number}.md").write_text(f"# {place}\n\n{place}的灯每{number}天刷一次漆。\n")
    settings = Settings(home=tmp_path)
    update_index([docs], settings, WordEmbedder())

    def teach(body: dict[str, Any]) -> str:
        system, user = (message["content"] for message in body["messages"])
        assert "文字" in system or "段落" in system
        if "只写问题" not in system:
            found = re.findall(r"(\w{3})的灯每(\d+)天", user)
            place = re.findall(r"(\w{3})的灯", user.splitlines()[-1])[0]
            return f"{place}的灯每{dict(found)[place]}天刷一次漆。"
        place = re.findall(r"(\w{3})的灯", user)[0]
        return f"{place}的灯由谁付钱？" if "没有答案" in system else f"{place}的灯多久刷一次漆？"

    server.write = teach
    lesson = lamps.distillation(Library(settings, WordEmbedder()), server, tmp_path)
    made = taught(lesson, 4)
    assert {example.language for example in made} == {"zh"}
    assert len([example for example in made if example.is_good]) >= 3
