"""Documents as a program uses them: indexed, searched and answered from, in one object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.records import PUBLIC, Answer, AnswerRequest, Hit, Message
from retrieval.settings import Settings, load_settings

if TYPE_CHECKING:
    from retrieval.index.building import IndexReport
    from retrieval.index.library import Library
    from retrieval.serving.live import Live


class Documents:
    """What is indexed in one home folder. Threads may share one.

    Models are loaded when they are needed first. What another process publishes is searched from
    then on.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """Take the given settings, else those of the environment and `whimbrel.toml`."""
        self.settings = settings or load_settings()

    def index(self, *folders: str | Path) -> IndexReport:
        """Bring the index up to date with folders, those of the last time if none is named.

        Raises:
            RetrievalError: If that cannot be done; the message says how to mend it.
        """
        from retrieval.index.building import update_index

        return update_index(
            [Path(folder) for folder in folders], self.settings, self._library.following()
        )

    def search(
        self,
        query: str,
        *,
        k: int = 5,
        audience: str | Iterable[str] = (),
        sources: str | Iterable[str] = (),
    ) -> list[Hit]:
        """The passages that suit a query best, best first; at most `k`.

        Args:
            query: What to look for, in any language.
            k: How many at most.
            audience: Labels of documents to search besides those that are for everybody.
            sources: Beginnings of the ids of the only documents to search; none for all.

        Raises:
            QuestionError: If there is nothing to search for.
            IndexNotFoundError: If nothing was indexed yet.
        """
        from retrieval.answering.questions import clean

        query = clean(query, max_chars=self.settings.max_question_chars)
        searcher = self._library.searcher()
        return searcher.search(query, k=k, audience=_labels(audience), sources=_all(sources))

    def answer(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        audience: str | Iterable[str] = (),
        sources: str | Iterable[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """An answer with citations, or an abstention.

        Args:
            question: A question in a sentence, in any language.
            history: What was said before, oldest first.
            audience: Labels of documents to answer from besides those that are for everybody.
            sources: Beginnings of the ids of the only documents to search; none for all.
            on_text: Called with each sentence once it is checked against its passage.

        Raises:
            QuestionError: If it cannot be asked like this.
            IndexNotFoundError: If nothing was indexed yet.
        """
        request = AnswerRequest(
            question, history=history, audience=_labels(audience), sources=_all(sources)
        )
        return self._live.answer(request, on_text=on_text)

    @cached_property
    def _library(self) -> Library:
        from retrieval.index.library import Library
        from retrieval.index.served_embedder import load_embedder

        return Library.load(self.settings, load_embedder(self.settings))

    @cached_property
    def _live(self) -> Live:
        from retrieval.serving.live import Live
        from retrieval.serving.model_loader import InstalledModels

        return Live(self.settings, self._library, InstalledModels(self.settings))


def _labels(audience: str | Iterable[str]) -> frozenset[str]:
    return frozenset({PUBLIC, *_all(audience)})


def _all(named: str | Iterable[str]) -> tuple[str, ...]:
    # A text is one name: taken for its letters, it would let more documents in, or none.
    return (named,) if isinstance(named, str) else tuple(named)
