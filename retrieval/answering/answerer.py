"""A question and its thread in, an `Answer` out: search, judge, generate or quote, cite, clean."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from retrieval.answering.addresses import gives_orders, sanitise_answer
from retrieval.answering.asked import retells
from retrieval.answering.citations import CheckedStream, Citer
from retrieval.answering.decline_filter import DeclineFilter, declines, is_not_there
from retrieval.answering.evidence import (
    LIKELY,
    DraftAnswer,
    Evidence,
    Stopwatch,
    is_foreign,
)
from retrieval.answering.judge import JUDGED_HITS, READ_HITS, Judge, promising
from retrieval.answering.phrases import phrase
from retrieval.answering.prompt import (
    DEMONSTRATED,
    PROMPT_VERSION,
    WHOLE_PROMPT_VERSION,
    Prompt,
    build_prompt,
    instructions_of,
)
from retrieval.answering.quantities import misses_code, misses_year
from retrieval.answering.questions import asks_for_fact, clean, standalone
from retrieval.answering.quoting import is_better_quoted, quote
from retrieval.answering.rewriting import rewritten
from retrieval.answering.sections import whole_sections
from retrieval.answering.support import SupportReader
from retrieval.answering.support_readers import BY_GENERATOR, GeneratorReader
from retrieval.answering.tiers import Tier, tier_of
from retrieval.errors import EndpointError
from retrieval.index.searcher import Searcher
from retrieval.language import language_of
from retrieval.records import (
    Answer,
    AnswerRequest,
    Citation,
    Completion,
    Hit,
    Passage,
)
from retrieval.search.versions import superseded
from retrieval.settings import Settings
from retrieval.tracing import span

if TYPE_CHECKING:
    from retrieval.llm.generator import Generator

logger = logging.getLogger(__name__)

_NEAREST = 3
_NEAR_SHARE = 0.5
"""An abstention names the nearest passages from this share of the threshold on."""


@dataclass(frozen=True, eq=False)
class Answerer:
    """Everything that answers a question, and belongs together: `judge` knows the searcher's hits.

    It stays what it is, whatever is published. Threads may share one.
    """

    searcher: Searcher
    judge: Judge
    settings: Settings
    generator: Generator | None = None
    reader: SupportReader | None = None

    def models(self) -> Mapping[str, str]:
        """The ids of the models that answer, by what they do."""
        named = {
            "embedder": self.searcher.embedder.id,
            "generator": self.generator.id if self.generator else "none",
            "judge": self.judge.id,
            "reranker": self.searcher.reranker_id,
        }
        return {role: id_ for role, id_ in named.items() if id_}

    @property
    def threshold(self) -> float:
        """The confidence from which an answer is given."""
        chosen = self.settings.threshold
        return self.judge.threshold if chosen is None else chosen

    def answer(
        self,
        request: AnswerRequest,
        *,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """Answer a question from the documents that the audience may see, or abstain.

        Args:
            request: The question, for whom it is answered and from what.
            on_text: Called with each sentence once it is checked against its passage; what is
                not checked yet is never shown.
            should_stop: Polled while generating; what was written until then is kept.

        Raises:
            QuestionError: If there is nothing to search for.
        """
        watch = Stopwatch()
        with watch.stage("total"):
            question = clean(request.text, max_chars=self.settings.max_question_chars)
            rewriting = self._rewritten(question, request, watch, should_stop)
            query = rewriting or standalone(question, request.history)
            with watch.stage("search"):
                wide = self.searcher.search(
                    query,
                    k=JUDGED_HITS,
                    audience=request.audience,
                    sources=request.sources,
                    outdated=request.outdated,
                )
            evidence = self._evidence(question, query, wide, request.threshold, watch)
            found = replace(
                self._or_foreign(evidence, wide),
                language=request.language or language_of(question),
                is_rewritten=rewriting is not None,
                demonstrations=tuple(
                    shown
                    for shown in request.demonstrations
                    if not gives_orders(f"{shown.question}\n{shown.answer}")
                ),
                on_text=on_text,
                should_stop=should_stop,
            )
            draft = self._draft(found)
        card = self._card(found, draft, self.searcher.index.manifest.name)
        if card.kind == "answer":
            return card
        count = self.searcher.count_documents
        return replace(card, searched=count(audience=request.audience, sources=request.sources))

    def answer_from(
        self, question: str, hits: Sequence[Hit], *, threshold: float | None = None
    ) -> Answer:
        """Answer a question as `answer` would if its search had found these hits.

        So that several answerers can be compared on the same hits. The answer names no index.

        Args:
            question: Stands by itself.
            hits: Best first; the judge looks at all of them, the answer is made from the first.
            threshold: The confidence from which to answer; None for the usual one.
        """
        watch = Stopwatch()
        with watch.stage("total"):
            found = self._evidence(question, question, hits, threshold, watch)
            draft = self._draft(found)
        return self._card(found, draft, "")

    def _rewritten(
        self,
        question: str,
        request: AnswerRequest,
        watch: Stopwatch,
        should_stop: Callable[[], bool] | None,
    ) -> str | None:
        if self.generator is None or not request.history:
            return None
        if not tier_of(self.generator, self.settings).rewrites:
            return None
        with watch.stage("rewrite"):
            return rewritten(self.generator, question, request.history, should_stop=should_stop)

    def _evidence(
        self,
        question: str,
        query: str,
        hits: Sequence[Hit],
        threshold: float | None,
        watch: Stopwatch,
    ) -> Evidence:
        tier = tier_of(self.generator, self.settings)
        # A heading with nothing below it, or what is about other years or models, is no answer.
        hits = [
            hit
            for hit in hits
            if hit.passage.text.strip() not in hit.passage.headings[-1:]
            and not misses_year(hit.passage.indexed_text, query)
            and not misses_code(hit.passage.indexed_text, query)
        ]
        with watch.stage("judge"):
            judged = self.judge.judgement(query, hits)
        # A strong model reads better than what reads for the judge.
        near: Sequence[Hit] = hits
        reads: Sequence[float] = ()
        if not tier.reads:
            near, reads = promising(*_current(query, hits, judged.reads), most=tier.hits)
        return Evidence(
            question,
            query,
            language_of(question),
            tuple(near[: tier.hits]),
            tuple(reads[: tier.hits]),
            tuple(hit.passage for hit in hits),
            judged.confidence,
            self.threshold if threshold is None else threshold,
            tier,
            watch,
        )

    def _or_foreign(self, found: Evidence, hits: Sequence[Hit]) -> Evidence:
        """The evidence in other languages than the question's, if that alone is likely to answer.

        Words put a question's own language first, though what it asks may stand in another.
        """
        foreign = [hit for hit in hits if is_foreign(hit.passage, found.language)]
        if found.is_likely or found.tier.reads or not foreign or foreign[0] == hits[0]:
            return found
        other = self._evidence(found.question, found.query, foreign, found.threshold, found.watch)
        return other if other.is_likely and other.confidence >= LIKELY else found

    def _draft(self, found: Evidence) -> DraftAnswer:
        """What the generator wrote, else what the documents say word for word, or nothing."""
        tier, generator = found.tier, self.generator
        # A threshold that somebody set is not lowered.
        near = tier.near if self.settings.threshold is None else 1.0
        if found.confidence < found.threshold * near or not found.hits:
            return DraftAnswer()
        if generator is None or not can_write(tier, found.question):
            return self._quote(found)
        if not tier.is_multilingual and found.is_foreign:
            # What is written in one language cannot be checked against words of another.
            return self._quote(found)
        if tier.writes == "facts":
            found = replace(found, quote=quote(found, self.searcher))
            if is_better_quoted(found):
                return self._quote(found)
        prompt = self._prompt(generator, found)
        draft = self._written(generator, found, prompt)
        return replace(draft, demonstrations=prompt.demonstrations)

    def _written(self, generator: Generator, found: Evidence, prompt: Prompt) -> DraftAnswer:
        """What the generator wrote and the passages support; without that, a quote or nothing."""
        filtered = DeclineFilter(self._stream(found, prompt), may_decline=found.tier.reads)
        try:
            completion = self._write(generator, prompt, filtered, found)
        except EndpointError as error:
            logger.warning("the generator did not answer: %s", error)
            return self._without_model(found, filtered.stream)
        stream, note = filtered.stream, "cut" if completion.is_cut else ""
        if completion.text != filtered.said:  # it took back what it had thought aloud
            stream = self._stream(found, prompt)
            filtered = DeclineFilter(stream, may_decline=found.tier.reads)
            filtered.feed(completion.text)
            filtered.close(is_whole=not completion.is_cut)
        if filtered.has_declined:
            return DraftAnswer(completion=completion)
        if stream.text or completion.stopped:
            text = stream.text or phrase("stopped", found.language)
            text += f"\n{phrase(note, found.language)}" if note else ""
            citations = stream.citer.citations
            stopped = completion.stopped and not stream.is_full
            return DraftAnswer(text, citations, "generated", stopped, completion)
        is_declined = declines(completion.text) or (
            found.tier.reads and is_not_there(completion.text)
        )
        draft = DraftAnswer() if is_declined or not found.is_likely else self._quote(found)
        return replace(draft, completion=completion)

    def _without_model(self, found: Evidence, stream: CheckedStream) -> DraftAnswer:
        """What can be said where the endpoint of the generator failed; it says so."""
        if stream.text:
            text = f"{stream.text}\n{phrase('broken_off', found.language)}"
            return DraftAnswer(text, stream.citer.citations, "generated")
        if found.is_likely:
            draft = self._quote(found, notice=phrase("no_model", found.language))
            if draft.citations:
                return draft
        return DraftAnswer(phrase("no_model_nor_quote", found.language))

    def _prompt(self, generator: Generator, found: Evidence) -> Prompt:
        tier = found.tier
        hits = found.hits
        if tier.reads:
            hits = whole_sections(
                hits,
                self.searcher,
                count_tokens=generator.count_tokens,
                max_tokens=tier.prompt_tokens * 4 // 5,  # the rest is for instructions
            )
        earlier = "" if found.is_rewritten else found.query.removesuffix(found.question)
        return build_prompt(
            found.query if found.is_rewritten else found.question,
            hits,
            language=found.language,
            count_tokens=generator.count_tokens,
            max_tokens=tier.prompt_tokens,
            earlier=earlier.strip(),
            is_whole=tier.reads,
            demonstrations=found.demonstrations[: tier.demonstrations],
            instructions=instructions_of(generator),
        )

    def _prompt_version(self, found: Evidence, draft: DraftAnswer) -> str:
        version = WHOLE_PROMPT_VERSION if found.tier.reads else PROMPT_VERSION
        if instructions := instructions_of(self.generator):
            version = instructions.version
        return f"{version}+{DEMONSTRATED}" if draft.demonstrations else version

    def _stream(self, found: Evidence, prompt: Prompt) -> CheckedStream:
        citer = self._citer(found.query, prompt.passages)
        if found.quote is None:
            return CheckedStream(citer, most=found.tier.sentences)
        accepted = partial(retells, quote=found.quote.quoted, question=found.question)
        return CheckedStream(citer, most=found.tier.sentences, accepted=accepted)

    def _citer(self, query: str, passages: Sequence[Passage]) -> Citer:
        reader = self.reader
        # A seq2seq model writes one text at a time: it cannot read before it has written.
        if (
            self.settings.support == BY_GENERATOR
            and self.generator
            and self.generator.kind == "causal"
        ):
            reader = GeneratorReader(self.generator)
        return Citer(query, passages, embedder=self.searcher.embedder, reader=reader)

    def _write(
        self, generator: Generator, prompt: Prompt, filtered: DeclineFilter, found: Evidence
    ) -> Completion:
        def show(checked: str) -> None:
            if checked and found.on_text is not None:
                links = self.settings.links
                found.on_text(sanitise_answer(checked, filtered.stream.citer.citations, links))

        def should_stop() -> bool:
            if filtered.has_declined or filtered.stream.is_full:
                return True
            return found.should_stop is not None and found.should_stop()

        with found.watch.stage("generate"):
            completion = generator.generate(
                [("system", prompt.system), ("user", prompt.user)],
                max_tokens=found.tier.answer_tokens,
                on_text=lambda piece: show(filtered.feed(piece)),
                should_stop=should_stop,
            )
        with span("check"):
            show(filtered.close(is_whole=not completion.is_cut))
        found.watch.timings["first_token"] = round(completion.first_token_s, 4)
        return completion

    def _quote(self, found: Evidence, *, notice: str = "") -> DraftAnswer:
        draft = found.quote or quote(found, self.searcher)
        if notice and draft.text:
            draft = replace(draft, text=f"{notice}\n{draft.text}")
        if found.on_text is not None and draft.text:
            found.on_text(sanitise_answer(draft.text, draft.citations, self.settings.links))
        return draft

    def _card(self, found: Evidence, draft: DraftAnswer, generation: str) -> Answer:
        common = Answer(
            id=uuid.uuid4().hex[:12],
            question=found.question,
            query=found.query,
            kind="abstention",
            text=draft.text or phrase("not_found", found.language),
            language=found.language,
            confidence=round(found.confidence, 4),
            nearest=_nearest(found),
            hits=_with_cited(found.hits, draft.citations),
            prompt_version=self._prompt_version(found, draft),
            generator=self.generator.id if self.generator else "none",
            embedder=self.searcher.embedder.id,
            judge=self.judge.id,
            reranker=self.searcher.reranker_id,
            generation=generation,
            timings=found.watch.timings,
            background=tuple(sorted({a for d in draft.demonstrations for a in d.audience})),
        )
        if done := draft.completion:
            common = replace(common, completion=done.id, tokens=(done.prompt_tokens, done.tokens))
        if draft.method == "none":
            return common
        return replace(
            common,
            kind="answer",
            text=sanitise_answer(draft.text, draft.citations, self.settings.links),
            citations=draft.citations,
            nearest=(),
            method=draft.method,
            stopped=draft.stopped,
        )


def _current(
    query: str, hits: Sequence[Hit], reads: Sequence[float]
) -> tuple[Sequence[Hit], Sequence[float]]:
    """The hits and reads without those of older versions of documents among the first.

    The best hit of a newer version is as likely to answer as what it stands for.
    """
    read = dict(zip(hits, reads, strict=False))
    old = superseded((hit.passage.source for hit in hits[:READ_HITS]), query)
    kept = [hit for hit in hits if hit.passage.source not in old]
    for older, newer in old.items():
        best = next(hit for hit in kept if hit.passage.source == newer)
        likely = [said for hit, said in read.items() if hit.passage.source == older]
        if best in read:
            read[best] = max([read[best], *likely])
    return kept, [read[hit] for hit in kept if hit in read]


def _nearest(found: Evidence) -> tuple[Passage, ...]:
    """One passage each of the nearest documents, if they are near enough to be worth a look."""
    if found.confidence < found.threshold * _NEAR_SHARE:
        return ()
    by_document: dict[str, Passage] = {}
    for passage in found.passages[: found.tier.hits]:
        by_document.setdefault(passage.source.id, passage)
    nearest = tuple(by_document.values())[:_NEAREST]
    # Words put a question's own language first; the document it is about may be in another.
    foreign = [passage for passage in found.passages if is_foreign(passage, found.language)]
    if not foreign or any(passage in foreign for passage in nearest):
        return nearest
    return (*nearest[: _NEAREST - 1], foreign[0])


def _with_cited(hits: Sequence[Hit], citations: Sequence[Citation]) -> tuple[Hit, ...]:
    """The hits, and what is cited besides: it stands beside one of them."""
    known = {hit.passage.id for hit in hits}
    more = (cited.passage for cited in citations if cited.passage.id not in known)
    return (*hits, *(Hit(passage, 0.0) for passage in more))


def can_write(tier: Tier, question: str) -> bool:
    """Whether the generator's own words are the better answer to this question than a quote."""
    return tier.writes == "all" or (tier.writes == "facts" and asks_for_fact(question))
