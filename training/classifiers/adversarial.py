"""Finds words that mislead a classifier: near in meaning to those that they take the place of.

As in HotFlip (Ebrahimi et al. 2018) one gradient tells, for all words at once, by how much each
other word in their place would raise the loss. Only a word's nearest neighbours among the
embeddings are looked at; small words, and what `keeps_meaning` asks for, stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.nn.functional import normalize

from retrieval.search.lexical import STOP_WORDS
from training.data.noise import SHORT, keeps_meaning

NEAR = 20
"""A word gives way to one of so many that lie nearest to it."""

SWAPPED = 2
"""So many words of a text are swapped, at most."""

AT_ONCE = 16

_BEGINS = "▁"
"""With this, tokenizers of pieces mark that a word begins."""

_LATIN, _HAN = re.compile(rf"[A-Za-z]{{{SHORT + 1},}}"), re.compile("[\u4e00-\u9fff]+")

Loss = Callable[[Sequence[int]], torch.Tensor]
"""The sum of the losses of texts by their numbers, through the encoder."""


@dataclass(frozen=True)
class Attack:
    """The words of an encoder, and how it reads.

    `tokenizer` is the library's own; `encoder` may hold more than the encoder: the first embedding
    in it is that of words.
    """

    encoder: torch.nn.Module
    tokenizer: Any

    def on(self, texts: Sequence[str], loss: Loss) -> list[str]:
        """The texts with the swaps that raise their losses most, as they are where none can be.

        Args:
            texts: What may be swapped in.
            loss: Reads these texts, each in a row of its own.
        """
        found: list[str] = []
        for start in range(0, len(texts), AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, len(texts)))
            with self._recorded() as seen:
                total = loss(numbers)
            ids, vectors = seen[-1]
            (slopes,) = torch.autograd.grad(total, vectors)
            rows = zip(numbers, ids, slopes.float(), strict=True)
            found += [self._swapped(texts[number], *row) for number, *row in rows]
        return found

    def _swapped(self, text: str, ids: torch.Tensor, slopes: torch.Tensor) -> str:
        gains: dict[str, tuple[float, str]] = {}
        for id_, slope in zip(ids.tolist(), slopes, strict=True):
            word = self._pieces[id_]
            # What stands behind the text, in a passage, is not swapped.
            if (
                word not in gains
                and word.lower() not in STOP_WORDS
                and _alone(word, text)
                and (swap := self._best(id_, slope))
            ):
                gains[word] = swap
        twin = text
        for word, (gain, other) in sorted(gains.items(), key=lambda pair: -pair[1][0])[:SWAPPED]:
            swapped = re.sub(_pattern(word), other, twin, count=1)
            if gain > 0 and keeps_meaning(text, swapped):
                twin = swapped
        return twin

    def _best(self, id_: int, slope: torch.Tensor) -> tuple[float, str] | None:
        """By how much the worst neighbour of a word would raise the loss, and that neighbour."""
        own = self._words[id_]
        others, units = self._others[bool(_HAN.fullmatch(self._pieces[id_]))]
        nearest = (units @ normalize(own, dim=0)).topk(min(NEAR, len(others))).indices
        near = [
            other
            for other in others[nearest].tolist()
            if self._pieces[other].casefold() != self._pieces[id_].casefold()
        ]
        if not near:
            return None
        gains = (self._words[near] - own) @ slope
        return float(gains.max()), self._pieces[near[int(gains.argmax())]]

    @contextmanager
    def _recorded(self) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
        """The ids of all that is read meanwhile, and the vectors that the encoder gets for them."""
        seen: list[tuple[torch.Tensor, torch.Tensor]] = []

        def record(
            _: torch.nn.Module, read: tuple[torch.Tensor, ...], vectors: torch.Tensor
        ) -> torch.Tensor:
            seen.append((read[0], leaf := vectors.detach().requires_grad_()))
            return leaf

        hook = self._embedding.register_forward_hook(record)
        try:
            yield seen
        finally:
            hook.remove()

    @cached_property
    def _embedding(self) -> torch.nn.Embedding:
        modules = self.encoder.modules()
        return next(module for module in modules if isinstance(module, torch.nn.Embedding))

    @cached_property
    def _words(self) -> torch.Tensor:
        return self._embedding.weight.detach().float()

    @cached_property
    def _pieces(self) -> list[str]:
        """The word that each token is, empty for a part of one."""
        known = self.tokenizer.convert_ids_to_tokens(range(len(self._words)))
        pieces = [piece or "" for piece in known]  # there may be more rows than tokens
        is_marked = any(piece.startswith(_BEGINS) for piece in pieces)
        whole = [
            piece.removeprefix(_BEGINS)
            if piece.startswith(_BEGINS) or not is_marked or _HAN.fullmatch(piece)
            else ""
            for piece in pieces
        ]
        return [word if _LATIN.fullmatch(word) or _HAN.fullmatch(word) else "" for word in whole]

    @cached_property
    def _others(self) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
        """The tokens that are whole words, and their directions: Latin ones, and Chinese ones."""
        pieces = self._pieces
        latin = [id_ for id_, word in enumerate(pieces) if word and not _HAN.fullmatch(word)]
        han = [id_ for id_, word in enumerate(pieces) if word and _HAN.fullmatch(word)]
        return tuple(
            (torch.tensor(some, device=self._words.device), normalize(self._words[some], dim=1))
            for some in (latin, han)
        )


def _pattern(word: str) -> str:
    """What finds a word in a text: whole, if it is Latin."""
    return word if _HAN.fullmatch(word) else rf"(?i)\b{word}\b"


def _alone(word: str, text: str) -> bool:
    return bool(word and re.search(_pattern(word), text))
