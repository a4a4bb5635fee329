"""Writes a data set's folder: its examples, what was left out, and a card that people can read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bot.export.records import REASONS, ExampleDraft, Exclusion, ReasonCode
from bot.export.rules import RULES_VERSION
from bot.export.splitting import Leakage
from retrieval.examples import SPLITS, Example, Split, dataset_hash, write_examples
from retrieval.jsonl import to_line, write_lines
from retrieval.registry.folders import building, new_folder

MANIFEST = "manifest.json"

SCRUBBED = (
    "Questions and answers are scrubbed of e-mail addresses, telephone, account and card numbers, "
    "IP addresses, Slack ids, keys and tokens. Names of people are not recognised."
)


@dataclass(frozen=True, slots=True)
class FrozenDataset:
    """What an export came to.

    `until` is when the newest thing in the log happened; `embedder` told which questions are alike.
    `taught` is the card of what a stronger model taught, if anything.
    """

    splits: Mapping[Split, Sequence[ExampleDraft]]
    exclusions: Sequence[Exclusion]
    leakage: Leakage
    until: str
    embedder: str
    taught: str = ""

    @property
    def name(self) -> str:
        """The hash of the examples, which names the folder."""
        return dataset_hash({split: _examples(drafts) for split, drafts in self.splits.items()})

    @property
    def excluded(self) -> dict[ReasonCode, int]:
        """How many things were left out for each reason, the most frequent first."""
        return dict(Counter(exclusion.reason for exclusion in self.exclusions).most_common())

    def counts(self, name: str) -> dict[str, dict[str, int]]:
        """How many examples of each split have which value of a field, such as `kind`."""
        return {
            split: dict(sorted(Counter(getattr(d.example, name) for d in drafts).items()))
            for split, drafts in self.splits.items()
        }


def freeze(frozen: FrozenDataset, home: Path) -> Path:
    """The data set's folder below `home`; it is written unless it is there already."""
    target = home / frozen.name
    with building(home):
        if not target.exists():
            with new_folder(home) as beside:
                _write(frozen, beside)
            (home / beside.name[1:]).rename(target)
    return target


def _write(frozen: FrozenDataset, folder: Path) -> None:
    for split in SPLITS:
        write_examples(folder, split, _examples(frozen.splits[split]))
    excluded = (to_line(asdict(exclusion), sort_keys=True) for exclusion in frozen.exclusions)
    write_lines(folder / "excluded.jsonl", sorted(excluded))
    _write_json(folder / "leakage.json", asdict(frozen.leakage))
    _write_json(folder / MANIFEST, _manifest(frozen))
    (folder / "card.md").write_text(card(frozen), encoding="utf-8")


def _manifest(frozen: FrozenDataset) -> dict[str, object]:
    return {
        "hash": frozen.name,
        "rules": RULES_VERSION,
        "code": version("whimbrel"),
        "embedder": frozen.embedder,
        "until": frozen.until,
        "counts": {split: len(drafts) for split, drafts in frozen.splits.items()},
        "kinds": frozen.counts("kind"),
        "excluded": frozen.excluded,
    }


def card(frozen: FrozenDataset) -> str:
    """What is in a data set, what was left out and why, in Markdown. It names nobody."""
    drafts = [draft for drafts_ in frozen.splits.values() for draft in drafts_]
    raters = {rater for draft in drafts for rater in draft.raters}
    people = {person for draft in drafts for person in draft.people}
    origin = (
        f"From the log until {frozen.until or 'its beginning'}. {len(drafts)} examples; "
        f"{len(people)} people had a part in them, {len(raters)} by ratings that count."
    )
    lines = [
        f"# Data set {frozen.name}",
        "",
        origin,
        "",
        *_table("kind", frozen.counts("kind")),
        *_table("source", frozen.counts("source")),
        *_table("language", frozen.counts("language")),
        "## Splits",
        "",
        _apart(frozen.leakage),
        "",
        "## Left out",
        "",
        "| how many | why |",
        "|---|---|",
        *(f"| {count} | {REASONS[code]} (`{code}`) |" for code, count in frozen.excluded.items()),
        "",
        SCRUBBED,
        *(["", f"#{frozen.taught.rstrip()}"] if frozen.taught else []),
    ]
    return "\n".join(lines) + "\n"


def _apart(leakage: Leakage) -> str:
    return (
        f"No cluster of similar questions is on both sides ({leakage.shared_clusters} shared). The "
        f"nearest questions of the two sides have cosine {leakage.largest_cosine}, likeness "
        f"{leakage.largest_likeness}; from {leakage.limit} on they would be one cluster. The "
        f"newest question trained on is of {leakage.newest_train or 'no day'}, the oldest held "
        f"out of {leakage.oldest_held_out or 'no day'}."
    )


def _table(title: str, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    names = sorted({name for count in counts.values() for name in count})
    rows = [
        f"| {n} | " + " | ".join(str(count.get(n, 0)) for count in counts.values()) + " |"
        for n in names
    ]
    return [
        f"| {title} | " + " | ".join(counts) + " |",
        "|---" * (1 + len(counts)) + "|",
        *rows,
        "",
    ]


def _examples(drafts: Iterable[ExampleDraft]) -> list[Example]:
    return [draft.example for draft in drafts]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
