"""How good a ranking, an answer or a confidence is, against what people judged."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from retrieval.language import CJK

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_TOKEN = re.compile(rf"[{CJK}]|[^\s{CJK}]+")


def ndcg(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first `k`, 0 to 1, with linear gain.

    Args:
        ranked: Ids, best first, each at most once.
        relevant: The judged grade of each relevant id; the others count as 0.
        k: How far to look.
    """
    gained = _discounted([relevant.get(id_, 0) for id_ in ranked[:k]])
    ideal = _discounted(sorted(relevant.values(), reverse=True)[:k])
    return gained / ideal if ideal else 0.0


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def recall(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int = 10) -> float:
    """The share of the relevant ids that are among the first `k`, 0 to 1."""
    wanted = {one for one, grade in relevant.items() if grade > 0}
    return len(wanted.intersection(ranked[:k])) / len(wanted) if wanted else 0.0


def precision(given: Collection[str], relevant: Collection[str]) -> float:
    """The share of the given ids that are relevant, 0 to 1; 0 if none is given."""
    return len(set(given) & set(relevant)) / len(set(given)) if given else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int = 10) -> float:
    """1 / the rank of the first relevant id among the first `k`; 0 if there is none."""
    ranks = (rank for rank, id_ in enumerate(ranked[:k], start=1) if relevant.get(id_, 0) > 0)
    return 1 / next(ranks, math.inf)


def answer_tokens(text: str) -> list[str]:
    """An answer's words as SQuAD compares them; each CJK character is a word.

    Lower case, without punctuation and English articles.
    """
    kept = (mark for mark in text.lower() if not _is_punctuation(mark))
    return _TOKEN.findall(_ARTICLES.sub(" ", "".join(kept)))


def _is_punctuation(mark: str) -> bool:
    return mark in string.punctuation or unicodedata.category(mark).startswith("P")


def token_f1(predicted: str, expected: str) -> float:
    """Token overlap of two answers, 0 to 1, as SQuAD defines it (Rajpurkar et al. 2016).

    Two empty answers agree, as in SQuAD 2.0.
    """
    ours, theirs = answer_tokens(predicted), answer_tokens(expected)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs))


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The probability that a positive scores above a negative, ties counting half.

    This is the area under the ROC curve. NaN if either side is empty.
    """
    if not positives or not negatives:
        return math.nan
    from sklearn.metrics import roc_auc_score

    labels = [True] * len(positives) + [False] * len(negatives)
    return float(roc_auc_score(labels, [*positives, *negatives]))
