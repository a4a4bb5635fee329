"""Search as a candidate would do it, beside the one that serves."""

from __future__ import annotations

from dataclasses import replace

from retrieval.errors import NotReadyError
from retrieval.index.searcher import Searcher
from retrieval.registry.runs import Run
from retrieval.search.competence import competences
from retrieval.search.dense import DenseIndex
from retrieval.search.embedding import Embedder
from retrieval.search.reranking import Reranker
from retrieval.serving.retriever import vectors_by
from retrieval.settings import Settings


class TrialSearch:
    """The served passages as a candidate finds them: with its vectors, or its reranker.

    Its index is in memory alone and made from the served one, so that it never holds what the
    served one does not.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retriever: tuple[Run, Embedder] | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._settings = settings
        self._retriever = retriever
        self._reranker = reranker
        self._made: tuple[Searcher, Searcher] | None = None

    def prepare(self, served: Searcher) -> Searcher:
        """Make the candidate's index of what is served: seconds, or minutes to embed anew.

        Raises:
            ModelCorruptError: If the candidate is not what was written.
        """
        if self._made is None or self._made[0] is not served:
            made = served if self._retriever is None else self._moved(served, *self._retriever)
            self._made = (served, made.reranked_by(self._reranker or served.reranker))
        return self._made[1]

    def searcher(self, served: Searcher) -> Searcher:
        """What `prepare` made of this very searcher.

        Raises:
            NotReadyError: If that has not been prepared.
        """
        made = self._made
        if made is None or made[0] is not served:
            raise NotReadyError("the candidate's index is being made")
        return made[1]

    def _moved(self, served: Searcher, run: Run, embedder: Embedder) -> Searcher:
        index = served.index.in_memory()
        vectors = vectors_by(run, embedder, self._settings, served.embedder, index)
        known = competences(index.passages, vectors, embedder)
        moved = replace(
            index,
            manifest=replace(index.manifest, competences=known),
            vectors=vectors,
            dense=DenseIndex.build(vectors),
        )
        return Searcher(moved, embedder)
