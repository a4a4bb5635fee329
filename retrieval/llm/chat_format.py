"""How a generator reads: its tokens, and its way of writing a conversation down."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

Architecture = Literal["causal", "seq2seq"]


class ChatFormat:
    """A model's tokenizer and chat format, the same for answering and for learning.

    The tokenizer is a `PlainTokenizer` or one of transformers, which have no type in common. All
    methods may be called from any thread.
    """

    def __init__(self, tokenizer: Any, kind: Architecture) -> None:  # noqa: ANN401
        self.tokenizer = tokenizer
        self.kind = kind
        self._lock = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """How many tokens a text takes, without those that begin and end every text."""
        return len(self.encode(text, has_special=False))

    def render(self, messages: Sequence[tuple[str, str]]) -> str:
        """The prompt of (role, text) messages, in the model's own chat format if it has one."""
        if self.kind == "seq2seq":  # these models know no roles
            return "\n\n".join(text for _, text in messages)
        if self.tokenizer.chat_template is None:
            return "\n\n".join([*(f"{role}: {text}" for role, text in messages), "assistant:"])
        chat = [{"role": role, "content": text} for role, text in messages]
        return str(
            self.tokenizer.apply_chat_template(
                chat,
                tokenize=False,
                add_generation_prompt=True,
                # Templates of Qwen3 and others let the model think at length unless told so.
                enable_thinking=False,
            )
        )

    def read(self, prompt: str) -> list[int]:
        """The tokens of what `render` gave."""
        return self.encode(prompt, has_special=self.tokenizer.chat_template is None)

    def encode(self, text: str, *, has_special: bool) -> list[int]:
        """The tokens of a text, with those that begin and end every text or without."""
        # Rust tokenizers refuse to be borrowed twice when a call changes their settings.
        with self._lock:
            return list(self.tokenizer.encode(text, add_special_tokens=has_special))

    def decode(self, ids: list[int]) -> str:
        """The text of some tokens, without special ones."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


def load_chat_format(folder: Path) -> ChatFormat:
    """How the model in a folder reads."""
    from transformers import AutoConfig, AutoTokenizer

    is_pair = AutoConfig.from_pretrained(folder).is_encoder_decoder
    return ChatFormat(AutoTokenizer.from_pretrained(folder), "seq2seq" if is_pair else "causal")
