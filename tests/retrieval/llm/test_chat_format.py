from __future__ import annotations

from pathlib import Path

from retrieval.llm.chat_format import load_chat_format
from tests.retrieval.llm.tiny_models import CHAT, save_causal, save_seq2seq

MESSAGES = [("system", "Be brief."), ("user", "年假几天？")]


def test_a_chat_template_is_used(tmp_path: Path) -> None:
    chat_format = load_chat_format(save_causal(tmp_path))
    assert chat_format.render(MESSAGES) == "<system>Be brief.<user>年假几天？<assistant>"


def test_a_model_that_could_think_first_is_told_not_to(tmp_path: Path) -> None:
    template = CHAT + "{% if enable_thinking is false %}<think></think>{% endif %}"
    chat_format = load_chat_format(save_causal(tmp_path, chat_template=template))
    assert chat_format.render(MESSAGES[1:]) == "<user>年假几天？<assistant><think></think>"


def test_without_a_template_roles_are_written_out(tmp_path: Path) -> None:
    plain = load_chat_format(save_causal(tmp_path, chat_template=None))
    assert plain.render(MESSAGES) == "system: Be brief.\n\nuser: 年假几天？\n\nassistant:"


def test_a_seq2seq_model_reads_plain_text(tmp_path: Path) -> None:
    chat_format = load_chat_format(save_seq2seq(tmp_path))
    assert chat_format.render(MESSAGES) == "Be brief.\n\n年假几天？"
