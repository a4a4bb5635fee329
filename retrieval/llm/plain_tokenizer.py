"""Tokenizers of chat models that stand whole in two files, read without transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

_FILE, _CONFIG = "tokenizer.json", "tokenizer_config.json"
_SPECIAL = frozenset({"bos_token", "eos_token", "unk_token", "pad_token"})
# Whatever else a folder says of its tokenizer, only the library knows what to make of it.
_PLAIN = (
    _SPECIAL
    | {"tokenizer_class", "model_max_length", "chat_template"}
    | {"clean_up_tokenization_spaces"}
)
_ELSEWHERE = ("special_tokens_map.json", "added_tokens.json", "chat_template.jinja")
_OWN = ("strftime_now", "generation %}", "generation -%}")
"""What transformers adds to the language of templates, and we do not."""


class PlainTokenizer:
    """A tokenizer with a chat template, called as those of transformers are."""

    def __init__(self, folder: Path) -> None:
        config = _config(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / _FILE))
        self._special = {name: config[name] for name in _SPECIAL if name in config}
        self.eos_token_id = self._tokenizer.token_to_id(self._special.get("eos_token", ""))
        self.chat_template: str = config["chat_template"]
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.globals["raise_exception"] = _refuse
        self._template = environment.from_string(self.chat_template)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The tokens of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        """The text of some tokens."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        return text

    def apply_chat_template(self, chat: Sequence[Mapping[str, str]], **values: object) -> str:
        """The prompt of messages with a role and a content; the template sees the values, too."""
        return self._template.render(messages=chat, **self._special, **values)

    @staticmethod
    def fits(folder: Path) -> bool:
        """Whether the library would take the tokenizer of a folder as its files have it."""
        try:
            config = _config(folder)
            is_plain = (
                config["tokenizer_class"] == "PreTrainedTokenizerFast"
                and {*config} <= _PLAIN
                and isinstance(config["chat_template"], str)
                and not config["clean_up_tokenization_spaces"]
                and not any(word in config["chat_template"] for word in _OWN)
                and not any((folder / name).exists() for name in _ELSEWHERE)
            )
            if not is_plain:
                return False
            added = json.loads((folder / _FILE).read_bytes())["added_tokens"]
            special = {token["content"] for token in added if token["special"]}
            return {config[name] for name in _SPECIAL if name in config} <= special
        except (OSError, ValueError, KeyError, TypeError):
            return False  # the library says what is wrong


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _config(folder: Path) -> Mapping[str, Any]:
    values: Mapping[str, Any] = json.loads((folder / _CONFIG).read_bytes())
    return values
