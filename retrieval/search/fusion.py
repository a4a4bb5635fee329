"""Joins what the dense and the lexical leg say of a passage into one score.

Plain reciprocal rank fusion asks both legs alike. It loses to the better leg wherever the other
is much worse: an English embedder in Chinese, or BM25 on questions in other words than the text.
Here ranks give way to two numbers that mean the same for every query and corpus:

- dense: by how many standard deviations the cosine lies above the query's cosines with the
  passages of the passage's language. Passages of each language are measured among themselves
  because multilingual embedders put the question's language before its meaning.
- lexical: the share of the best BM25 score of this query.

The fused score is c³ · dense + 1.5 · lexical, where c is the embedder's competence in the
languages of query and passage, which `competence.py` measures when the index is built. How much the
words count for may be learned with a retriever, whose run then says so in `fusion.json`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval.errors import ModelCorruptError

Floats = npt.NDArray[np.float32]
Groups = npt.NDArray[np.intp]

LEXICAL_WEIGHT = 1.5
"""Any weight from 1 to 3 beats both legs on every set we tried: nothing here is tuned closely."""

FILE = "fusion.json"

FOREIGN = 0.25
"""Standard deviations a passage needs to be ahead if it is not in the language of the query."""

PRIOR = 10
"""Passages' worth of trust in the whole corpus where a language has few passages of its own."""


def standardise(cosines: Floats, groups: Groups, sample: Floats, sample_groups: Groups) -> Floats:
    """How many standard deviations each cosine lies above the sample's cosines of its group.

    Args:
        cosines: Of the query with some passages.
        groups: The passages' groups, numbered from 0.
        sample: Of the query with passages that stand for the corpus; not empty.
        sample_groups: The sample's groups.
    """
    mean, variance = sample.mean(), sample.var()
    count = max(groups.max(initial=0), sample_groups.max()) + 1
    n = np.bincount(sample_groups, minlength=count) + PRIOR
    sums = np.bincount(sample_groups, sample, minlength=count) + PRIOR * mean
    means = sums / n
    squares = np.bincount(sample_groups, (sample - means[sample_groups]) ** 2, minlength=count)
    deviations = np.sqrt((squares + PRIOR * variance) / n) + np.finfo(np.float32).eps
    standardised: Floats = ((cosines - means[groups]) / deviations[groups]).astype(np.float32)
    return standardised


def fuse(
    dense: Floats,
    lexical: Floats,
    *,
    competence: Floats,
    is_foreign: npt.NDArray[np.bool_],
    lexical_weight: float = LEXICAL_WEIGHT,
) -> Floats:
    """The fused score of each passage; only their order means anything.

    Args:
        dense: The standardised cosines.
        lexical: The BM25 scores, 0 where no term occurs; the best of all must be among them.
        competence: The embedder's competence for each passage and this query, 0 to 1.
        is_foreign: Whether the passage is in another language than the query.
        lexical_weight: What the best BM25 score is worth, in standard deviations.
    """
    best = lexical.max(initial=0)
    share = lexical / best if best > 0 else lexical
    fused: Floats = competence**3 * (dense - FOREIGN * is_foreign) + lexical_weight * share
    return fused


def save_lexical_weight(folder: Path, weight: float) -> None:
    """Write down what words count for beside the retriever in a folder."""
    (folder / FILE).write_text(json.dumps({"lexical_weight": weight}) + "\n", encoding="utf-8")


def lexical_weight_of(folder: Path) -> float:
    """What words count for beside the retriever in a folder; as usual if it does not say.

    Raises:
        ModelCorruptError: If what it says is no weight.
    """
    path = folder / FILE
    if not path.is_file():
        return LEXICAL_WEIGHT
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["lexical_weight"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelCorruptError(f"{path} holds no lexical weight: {error}") from error
