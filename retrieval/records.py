"""The values that travel between modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

PUBLIC = "public"
"""The audience label of documents that everyone may see."""

Vectors = npt.NDArray[np.float32]
"""Shape (n, d), each row of length 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a document besides its text.

    `id` is the document's path below the indexed folder, with `/` separators and the folder's own
    name in front, so that it stays the same wherever the folder is mounted. `url` is where a person
    can open the document, if anybody said so. `modified` is ISO 8601 in UTC. `gaps` are what could
    not be read of it, such as "2 of 3 pages hold pictures only: 2, 3". `sha256` is of the file's
    bytes, in a Slack export also of those that say which channels are private. `stamp` differs
    whenever the document's description by where it comes from does.
    """

    id: str
    title: str
    path: str
    language: str
    sha256: str
    modified: str
    url: str | None = None
    audience: str = PUBLIC
    owner: str | None = None
    gaps: tuple[str, ...] = ()
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of a document's text under one heading path.

    `start` counts characters from the beginning of the document's text. `page` starts at 1 and is
    only known for paged formats; `anchor` is the fragment that opens the section in the document.
    """

    text: str
    start: int
    headings: tuple[str, ...] = ()
    page: int | None = None
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document as read: its source and its sections in reading order."""

    source: Source
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read; the reason completes the sentence "the file ...".

    One that `is_restricted` may be meant for some people alone: what was read of it before must
    not be shown either.
    """

    id: str
    reason: str
    is_restricted: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file, or a folder as a whole, that is not looked into; `kind` says why in a few words."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document small enough to be embedded, found and cited.

    `text` is exactly the document's characters from `start` to `end`. `id` is derived from the
    document, the offset and the text; `content_hash` from what is embedded alone.
    """

    id: str
    source: Source
    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    page: int | None = None
    anchor: str | None = None
    content_hash: str = ""

    @property
    def indexed_text(self) -> str:
        """What is embedded and searched: title, heading path, then the text."""
        trail = dict.fromkeys((self.source.title, *self.headings))
        return "\n".join([" > ".join(part for part in trail if part), self.text]).strip()

    @property
    def link(self) -> str | None:
        """The address of the very section, if the document has an address."""
        if self.source.url is None or self.anchor is None or "#" in self.source.url:
            return self.source.url
        return f"{self.source.url}#{self.anchor}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that search found.

    `score` orders hits of one search. `dense` is the model's cosine, before any learned map, and
    `lexical` the BM25 score, with their 1-based ranks in their own legs; None where that leg did
    not return the passage.
    """

    passage: Passage
    score: float
    dense: float | None = None
    lexical: float | None = None
    dense_rank: int | None = None
    lexical_rank: int | None = None
    reranker: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread, oldest first where there are several."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation: what tells it from all others, and when it began, in Unix seconds."""

    id: str
    began: float


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An approved answer to another question, which shows how to answer; nothing to cite.

    `audience` are the labels that somebody needs to read it.
    """

    question: str
    answer: str
    audience: frozenset[str] = frozenset({PUBLIC})


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question with all that decides how it is answered.

    `text` is as the person wrote it; `history` are the thread's earlier messages, oldest first.
    `audience` has the labels of the documents that everybody who will read the reply may see, and
    `sources` the beginnings of the ids of the only documents to search, none for all. It takes a
    confidence of `threshold` to answer, None for the usual one. `language` is `en` or `zh` to
    answer in, None for the question's own. While a model is on trial, a `thread` is answered by one
    model from its beginning to its end; None keeps a question out of any trial. `outdated` has the
    ids of documents that people hold to be outdated, with the sha256 of what they saw: such stand
    lower. `demonstrations`, the most alike first, are for a model that can use them, and must all
    be meant for this audience.
    """

    text: str
    history: Sequence[Message] = ()
    audience: frozenset[str] = frozenset({PUBLIC})
    sources: Sequence[str] = ()
    threshold: float | None = None
    language: str | None = None
    thread: Thread | None = None
    outdated: Mapping[str, str] = field(default_factory=dict)
    demonstrations: Sequence[Demonstration] = ()


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a generator is told instead of our own words, by language; `version` names them."""

    version: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Completion:
    """What a generator wrote.

    `first_token_s` and `total_s` are seconds since the request. `mean_logprob` is the mean natural
    log-probability of its tokens, 0 for no tokens or where it is not known. `id` is an endpoint's
    own. `is_cut` says that it would have gone on.
    """

    text: str
    tokens: int
    prompt_tokens: int
    first_token_s: float
    total_s: float
    stopped: bool = False
    mean_logprob: float = 0.0
    id: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that supports the answer.

    `number` is what stands in brackets in the answer's text. `quote` is the supporting sentence,
    word for word from the passage; `support` says how well it does, 0 to 1.
    """

    number: int
    passage: Passage
    quote: str
    support: float


Arm = Literal["served", "candidate", "failed"]
"""Who answered during a trial; where the candidate `failed`, what serves did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The card: what is said to the person who asked, and how it came about.

    An abstention has no citations; `nearest` then names the passages that came closest, if any is
    near enough to be worth a look. `confidence` is the calibrated probability, 0 to 1, that the
    documents answer the question. `timings` are seconds by stage. `author` is the name of the
    person who wrote a curated answer, `searched` the number of documents that were searched before
    an abstention. `generator`, `embedder`, `judge` and `reranker` are the ids of the models that
    took part, and `generation` the index. `completion` is the endpoint's id of what its model
    wrote, and `tokens` are those it read and wrote. `background` are the labels that somebody needs
    to read what the model was shown besides passages.

    While a run is on `trial`, `arm` says whether it answered, and `share` how likely that was.
    """

    id: str
    question: str
    query: str
    kind: Literal["answer", "abstention"]
    text: str
    language: str
    confidence: float
    citations: tuple[Citation, ...] = ()
    nearest: tuple[Passage, ...] = ()
    hits: tuple[Hit, ...] = ()
    method: Literal["generated", "extracted", "curated", "none"] = "none"
    prompt_version: str = ""
    generator: str = ""
    embedder: str = ""
    judge: str = ""
    reranker: str = ""
    generation: str = ""
    stopped: bool = False
    timings: Mapping[str, float] = field(default_factory=dict)
    author: str | None = None
    searched: int = 0
    trial: str = ""
    arm: Arm = "served"
    share: float = 0.0
    completion: str = ""
    tokens: tuple[int, int] = (0, 0)
    background: tuple[str, ...] = ()
