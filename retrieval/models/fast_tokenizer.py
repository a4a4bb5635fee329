"""Tokenizers that stand whole in their `tokenizer.json`, read without a library of models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

if TYPE_CHECKING:
    import torch

_FILE, _CONFIG = "tokenizer.json", "tokenizer_config.json"
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")
# Whatever else a folder says of its tokenizer, only the library knows what to make of it.
_PLAIN = {*_SPECIAL, "mask_token", "tokenizer_class", "model_max_length"} | {
    "clean_up_tokenization_spaces"
}
_ELSEWHERE = ("special_tokens_map.json", "added_tokens.json")


class FastTokenizer:
    """A tokenizer that is called as those of transformers are, by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        config = _config(folder)
        self.model_max_length: int = config["model_max_length"]
        self._tokenizer = Tokenizer.from_file(str(folder / _FILE))
        self._tokenizer.no_padding()
        self.cls_token_id = self._tokenizer.token_to_id(config["cls_token"])
        self.sep_token_id = self._tokenizer.token_to_id(config["sep_token"])
        self._pad_token_id: Any = self._tokenizer.token_to_id(config["pad_token"])

    def __call__(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        padding: bool = False,
        **_: object,  # what is said to the library besides follows from these
    ) -> Mapping[str, Any]:
        """The `input_ids` and `offset_mapping` of each text; or padded tensors, as of `pad`.

        A text is cut after `max_length` tokens, if that is given.
        """
        if max_length is None:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(max_length)
        found = self._tokenizer.encode_batch([*texts], add_special_tokens=add_special_tokens)
        ids = {"input_ids": [encoding.ids for encoding in found]}
        if padding:
            return self.pad(ids)
        return ids | {"offset_mapping": [encoding.offsets for encoding in found]}

    def pad(self, rows: Mapping[str, Sequence[list[int]]], **_: object) -> dict[str, torch.Tensor]:
        """The `input_ids`, filled up on the right, and 1 in `attention_mask` for each of them."""
        import torch

        lengths = [len(row) for row in rows["input_ids"]]
        longest = max(lengths)
        padded = [row + [self._pad_token_id] * (longest - len(row)) for row in rows["input_ids"]]
        mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
        return {"input_ids": torch.tensor(padded), "attention_mask": mask.long()}

    @staticmethod
    def fits(folder: Path) -> bool:
        """Whether the library would take the tokenizer of a folder as its file has it."""
        config = _config(folder)
        return (
            config["tokenizer_class"] == "PreTrainedTokenizerFast"
            and {*config} <= _PLAIN
            and all(isinstance(config[name], str) for name in _SPECIAL)
            and not any((folder / name).exists() for name in _ELSEWHERE)
        )


def _config(folder: Path) -> Mapping[str, Any]:
    values: Mapping[str, Any] = json.loads((folder / _CONFIG).read_bytes())
    return values
