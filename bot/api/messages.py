"""What calls of the API say and are told: bodies, and the schemas of the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from bot.store.reasons import ReasonKind
from retrieval.answering.addresses import sanitise_answer
from retrieval.documents.tables import read_out
from retrieval.linking import LinkRules
from retrieval.records import Answer, Citation, Hit, Passage

MAX_CHARS = 20_000
"""The longest question or correction; settings may allow less of a question."""

# A zero byte is a character that not every database keeps.
_Kept = AfterValidator(lambda text: text.replace("\0", " "))

Words = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_CHARS, pattern=r"[\p{L}\p{N}]"), _Kept
]
Text = Annotated[str, StringConstraints(max_length=MAX_CHARS), _Kept]
Said = Annotated[str, _Kept]
Name = Annotated[str, StringConstraints(max_length=256), _Kept]
ConversationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Sources = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=512), _Kept]],
    Field(max_length=20),
]


# To JSON Schema 3.0 is an integer, too.
Count = Annotated[
    int, BeforeValidator(lambda n: int(n) if isinstance(n, float) and n.is_integer() else n)
]


class Given(BaseModel):
    """A body that a client sends: nothing else may be in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Told(BaseModel):
    """A body that a client is sent."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class SaidBefore(Given):
    """An earlier message of a conversation."""

    role: Literal["user", "assistant"]
    text: Said


class QuestionAsked(Given):
    """A question, and how it is to be answered."""

    question: Words = Field(description="a question in a sentence, in any language")
    conversation: ConversationId | None = Field(
        None, description="the conversation that it goes on with, as an answer names it"
    )
    history: list[SaidBefore] = Field(
        default_factory=list, description="what was said before, where the client keeps that itself"
    )
    sources: Sources = Field(
        default_factory=list, description="beginnings of the ids of the only documents to search"
    )
    language: Literal["en", "zh"] | None = Field(
        None, description="to answer in; unset: the question's"
    )
    user: Name = Field("", description="who asks, as the client tells people apart")
    stream: bool = Field(False, description="send sentences as they are checked")


class SearchAsked(Given):
    """What to look for in the documents."""

    query: Words
    limit: Count = Field(5, ge=1, le=50)
    sources: Sources = Field(
        default_factory=list, description="beginnings of the ids of the only documents to search"
    )


class FeedbackGiven(Given):
    """What somebody makes of an answer."""

    answer_id: Name
    rating: Literal["good", "bad", "withdrawn"]
    reason: ReasonKind = Field("", description="what is wrong with it")
    correction: Text = Field("", description="what would have been right; an expert will see it")
    document: Name = Field("", description="where that stands: a document's id or name")
    user: Name = Field("", description="who says so, as the client tells people apart")


class DocumentTold(Told):
    """Where a passage stands."""

    id: str
    title: str
    headings: list[str]
    page: int | None
    url: str | None
    language: str
    modified: str


class CitationTold(Told):
    """A passage that an answer rests on, by the number in its text."""

    number: int
    quote: str
    document: DocumentTold


class Tokens(Told):
    """What a model at an endpoint has read and written; 0 for models of one's own."""

    prompt: int
    answer: int


class AnswerTold(Told):
    """An answer, or that there is none in the documents: then `nearest` is worth a look."""

    id: str
    conversation: str
    kind: Literal["answer", "abstention"]
    text: str = Field(description="Markdown, with the numbers of citations in brackets")
    language: str
    confidence: float = Field(description="how likely the documents answer the question, 0 to 1")
    method: Literal["generated", "extracted", "curated", "none"]
    stopped: bool
    citations: list[CitationTold]
    nearest: list[DocumentTold]
    author: str | None = Field(description="who wrote an answer that an expert has approved")
    model: str
    index: str
    tokens: Tokens
    seconds: float


class HitTold(Told):
    """A passage that was found."""

    score: float
    text: str
    document: DocumentTold


class HitsTold(Told):
    """What was found, best first."""

    hits: list[HitTold]


class FeedbackTold(Told):
    """What is known of somebody's opinion of an answer now."""

    answer_id: str
    rating: Literal["good", "bad"] | None
    reason: ReasonKind
    correction: str


class ErrorTold(Told):
    """The same, where clients of OpenAI's API look for it."""

    message: str
    type: str
    code: int


class ProblemTold(Told):
    """Why a call is not answered."""

    type: str
    title: str
    status: int
    detail: str
    error: ErrorTold


def answer_told(answer: Answer, conversation: str, links: LinkRules) -> AnswerTold:
    """An answer as the API tells it; only what `links` lets is linked."""
    prompt, written = answer.tokens
    return AnswerTold(
        id=answer.id,
        conversation=conversation,
        kind=answer.kind,
        text=answer.text,
        language=answer.language,
        confidence=answer.confidence,
        method=answer.method,
        stopped=answer.stopped,
        citations=citations_told(answer, links),
        nearest=[document_told(passage, links) for passage in answer.nearest],
        author=answer.author,
        model=answer.generator,
        index=answer.generation,
        tokens=Tokens(prompt=prompt, answer=written),
        seconds=answer.timings.get("total", 0.0),
    )


def citations_told(answer: Answer, links: LinkRules) -> list[CitationTold]:
    """What an answer cites."""
    return [
        CitationTold(
            number=citation.number,
            quote=sanitise_answer(
                read_out(citation.quote, citation.passage.text), [citation], links
            ),
            document=document_told(citation.passage, links),
        )
        for citation in answer.citations
    ]


def hit_told(hit: Hit, links: LinkRules) -> HitTold:
    """A hit as the API tells it; its text does nothing to who renders it."""
    passage = hit.passage
    text = sanitise_answer(passage.text, [Citation(1, passage, "", 0.0)], links)
    document = document_told(passage, links)
    return HitTold(score=round(hit.score, 6), text=text, document=document)


def document_told(passage: Passage, links: LinkRules) -> DocumentTold:
    """Where a passage stands, with its address if that may be linked."""
    source = passage.source
    return DocumentTold(
        id=source.id,
        title=source.title,
        headings=list(passage.headings),
        page=passage.page,
        url=links.address(passage.link),
        language=source.language,
        modified=source.modified,
    )
