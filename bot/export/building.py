"""From a log to the splits of a data set, one rule after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.export.admission import Passages, admit
from bot.export.caps import within_share
from bot.export.freezing import FrozenDataset
from bot.export.records import ExampleDraft, Exclusion, Log, Policy
from bot.export.rules import cases_of, drafts_of
from bot.export.similarity import SAME, SIMILAR, QuestionEmbedder, Questions
from bot.export.splitting import clustered, leakage, link, split
from bot.export.verdicts import consolidate, trust_of, unproven, within_week
from retrieval.examples import Example, Split
from retrieval.progress import Progress


@dataclass(frozen=True, slots=True)
class ExportCorpus:
    """The passages as they are now, by content hash, and which of them everybody may see."""

    passages: Passages
    public: frozenset[str]


def build(
    log: Log,
    corpus: ExportCorpus,
    embedder: QuestionEmbedder,
    *,
    policy: Policy,
    ever_held_out: Sequence[str] = (),
    synthetic: Sequence[Example] = (),
    on_progress: Progress = lambda *_: None,
) -> FrozenDataset:
    """The data set that a log comes to. The same log gives the same data set.

    Raises:
        LeakageError: If a question is trained on and as good as one that is held out.
    """
    admitted = admit(log, policy, corpus.passages, corpus.public)
    questions = Questions(
        [
            *(turn.question for turn in admitted.log.turns),
            *ever_held_out,
            *(example.question for example in synthetic),
        ],
        embedder,
        on_progress=on_progress,
    )
    same = questions.groups(SAME)
    taught, exclusions, doubted = _taught(admitted.log, corpus.passages, policy, same)
    drafts, doubles = distinct(taught, same)
    drafts += [ExampleDraft(example) for example in synthetic]
    labels = questions.groups(SIMILAR, linked=link(drafts))
    drafts = clustered(drafts, labels)
    old = {labels[question] for question in ever_held_out}
    held_out = {d.example.cluster for d in drafts if labels[d.example.question] in old}
    splits, refused = divide(drafts, held_out, max_share=policy.max_share, doubted=doubted)
    return FrozenDataset(
        splits=splits,
        exclusions=[*admitted.exclusions, *exclusions, *doubles, *refused],
        leakage=leakage(splits, questions, ever_held_out),
        until=max([*(t.created for t in log.turns), *(e.at for e in log.events)], default=""),
        embedder=f"{embedder.id} {embedder.revision}",
    )


def divide(
    drafts: Sequence[ExampleDraft],
    held_out: Collection[str],
    *,
    max_share: float,
    doubted: Collection[str] = (),
) -> tuple[dict[Split, list[ExampleDraft]], list[Exclusion]]:
    """The drafts of each split; of no kind trained on are more than the share one person's.

    Those who are `doubted` count as one person.
    """
    splits, exclusions = split(drafts, held_out)
    _, over = _capped([*splits["train"], *splits["dev"]], max_share, doubted)
    for name in ("train", "dev"):
        splits[name] = [draft for draft in splits[name] if draft not in over]
    splits["train"], more = _capped(splits["train"], max_share, doubted)
    exclusions += [Exclusion("example", d.example.id, "rater_cap") for d in (*over, *more)]
    return splits, exclusions


def _capped(
    drafts: Sequence[ExampleDraft], max_share: float, doubted: Collection[str]
) -> tuple[list[ExampleDraft], set[ExampleDraft]]:
    """What is within everybody's share of the examples of its kind, and the rest."""
    kept: list[ExampleDraft] = []
    over: set[ExampleDraft] = set()
    for kind in sorted({draft.example.kind for draft in drafts}):
        alike = [draft for draft in drafts if draft.example.kind == kind]
        within, rest = within_share(alike, max_share, doubted)
        kept += within
        over.update(rest)
    return kept, over


def _taught(
    log: Log, passages: Passages, policy: Policy, same: Mapping[str, int]
) -> tuple[list[ExampleDraft], list[Exclusion], frozenset[str]]:
    """What the log teaches, what it does not, and whose ratings nothing speaks for."""
    ratings, exclusions = within_week(consolidate(log.events), policy.max_votes_a_week)
    drafts: list[ExampleDraft] = []
    trust = trust_of(ratings, log)
    for case in cases_of(log, ratings, same, trust):
        for found in drafts_of(case, passages):
            if isinstance(found, ExampleDraft):
                drafts.append(found)
            else:
                exclusions.append(found)
    return drafts, exclusions, unproven(ratings, log, trust)


def distinct(
    drafts: Iterable[ExampleDraft], same: Mapping[str, int]
) -> tuple[list[ExampleDraft], list[Exclusion]]:
    """One draft, the weightiest, for each question (`same` numbers them) and what it teaches.

    It carries the people of all, so that each of them can be forgotten.
    """
    best: dict[tuple[object, ...], ExampleDraft] = {}
    exclusions = []
    for draft in sorted(drafts, key=lambda draft: (-draft.example.weight, draft.example.id)):
        key = _lesson(draft, same)
        if key in best:
            exclusions.append(Exclusion("example", draft.example.id, "duplicate"))
        best[key] = best[key].joined(draft) if key in best else draft
    return list(best.values()), exclusions


def _lesson(draft: ExampleDraft, same: Mapping[str, int]) -> tuple[object, ...]:
    example = draft.example
    passage = example.passages[0].content_hash if example.passages else ""
    taught = (example.answer, example.rejected, example.is_good)
    return same[example.question], draft.is_pinned, example.kind, passage, taught
