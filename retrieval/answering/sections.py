"""What a model that can read more is given: the hits in their sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retrieval.index.searcher import Searcher
from retrieval.records import Hit

SECTION_PASSAGES = 6
"""Most passages of one section that are given together."""

BELOW_PASSAGES = 12
"""Most passages of a section and those below it, of which it may be no more than the beginning."""


def whole_sections(
    hits: Sequence[Hit],
    searcher: Searcher,
    *,
    count_tokens: Callable[[str], int],
    max_tokens: int,
) -> tuple[Hit, ...]:
    """The hits, those of one section together in reading order, with what lies beside and below.

    Args:
        hits: Best first; all are kept.
        searcher: The one that found them.
        count_tokens: Length of a text in the generator's tokens.
        max_tokens: What lies beside is left out where everything would be longer than this.
    """
    left = max_tokens - sum(count_tokens(hit.passage.indexed_text) for hit in hits)
    by_id = {hit.passage.id: hit for hit in hits}
    kept: dict[str, Hit] = {}
    for hit in hits:
        if hit.passage.id in kept:
            continue
        beside = searcher.around(hit.passage, most=SECTION_PASSAGES)
        below = searcher.under(hit.passage, len(hit.passage.headings))
        for passage in dict.fromkeys((*beside, *below[:BELOW_PASSAGES])):
            if passage.id not in by_id:
                cost = count_tokens(passage.indexed_text)
                if cost > left:
                    continue
                left -= cost
            kept.setdefault(passage.id, by_id.get(passage.id) or Hit(passage, hit.score))
    return tuple(kept.values())
