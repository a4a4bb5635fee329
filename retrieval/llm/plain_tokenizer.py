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

    def __init__(self, tokenizer: Tokenizer, template: str, special: Mapping[str, str]) -> None:
        self._tokenizer, self._special = tokenizer, special
        self.eos_token_id = tokenizer.token_to_id(special.get("eos_token", ""))
        self.chat_template = template
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.globals["raise_exception"] = _refuse
        self._template = environment.from_string(template)

    @classmethod
    def of(cls, folder: Path) -> PlainTokenizer | None:
        """The tokenizer of a folder, where the library would take it as its two files have it."""
        try:
            config: Mapping[str, Any] = json.loads((folder / _CONFIG).read_bytes())
            if not _is_plain(config) or any((folder / name).exists() for name in _ELSEWHERE):
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # the library says what is wrong
        tokenizer = Tokenizer.from_file(str(folder / _FILE))
        added = tokenizer.get_added_tokens_decoder().values()
        special = {name: config[name] for name in _SPECIAL if name in config}
        if not {*special.values()} <= {token.content for token in added if token.special}:
            return None
        return cls(tokenizer, config["chat_template"], special)

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


def _is_plain(config: Mapping[str, Any]) -> bool:
    template = config["chat_template"]
    return (
        config["tokenizer_class"] == "PreTrainedTokenizerFast"
        and {*config} <= _PLAIN
        and isinstance(template, str)
        and not any(word in template for word in _OWN)
        and not config["clean_up_tokenization_spaces"]
    )


def _refuse(message: str) -> None:
    raise TemplateError(message)
