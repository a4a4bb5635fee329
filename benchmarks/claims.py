"""How well the check of citations tells sentences that a passage supports from others.

    python -m benchmarks.claims CLAIMS.jsonl [--json OUT] [--sample N]

The format of the file is described in `retrieval/evaluation/claims.py`. The check is the one that
serves: words and the embedder that `WHIMBREL_EMBEDDER` names, and then, where `WHIMBREL_SUPPORT`
names one, a reader too.

`kept` is the share of the supported sentences that would be said, `dropped` that of the others that
would not, and AUROC the chance that a supported one has more support than another. A kind of
sentence has only one label, so it is set against all with the other label in its languages.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import click

from retrieval.answering.citations import Citer
from retrieval.answering.support import SUPPORT_THRESHOLD, SupportReader
from retrieval.answering.support_readers import BY_GENERATOR, GeneratorReader, load_support_reader
from retrieval.commands import progress_bar
from retrieval.evaluation.claims import Claim, read_claims
from retrieval.evaluation.metrics import auroc
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings

Group = dict[str, float | None]
"""The numbers of some claims; None where they have no claims with that label."""


@dataclass(frozen=True)
class Scored:
    """A claim and the support that the check found for it."""

    claim: Claim
    support: float

    @property
    def kind(self) -> str:
        """The kind of the claim, with a plus if it is supported."""
        return f"{'+' if self.claim.is_supported else '-'} {self.claim.kind}"

    @property
    def languages(self) -> str:
        """Those of passage and sentence."""
        return f"{self.claim.passage.source.language}>{self.claim.language}"


def check(
    claims: Sequence[Claim], embedder: Embedder, reader: SupportReader | None
) -> Iterator[Scored]:
    """The support of each claim, as an answer's sentence would get it."""
    with progress_bar() as on_progress:
        for done, claim in enumerate(claims, start=1):
            citer = Citer(claim.question, [claim.passage], embedder=embedder, reader=reader)
            yield Scored(claim, citer.support(claim.sentence))
            on_progress("reading", done, len(claims))


def groups(scored: Sequence[Scored]) -> dict[str, Group]:
    """The numbers of all claims, of each pair of languages and of each kind."""
    found = {"all": measure(scored, scored)}
    for languages in sorted({said.languages for said in scored}):
        some = [said for said in scored if said.languages == languages]
        found[languages] = measure(some, some)
    for kind in sorted({said.kind for said in scored}):
        some = [said for said in scored if said.kind == kind]
        spoken = {said.languages for said in some}
        found[kind] = measure(some, [said for said in scored if said.languages in spoken])
    return found


def measure(some: Sequence[Scored], pool: Sequence[Scored]) -> Group:
    """AUROC, kept and dropped of some claims; the pool lends the label that they lack."""
    good, bad = (
        [s.support for s in some if s.claim.is_supported is is_it] for is_it in (True, False)
    )
    others = [[s.support for s in pool if s.claim.is_supported is is_it] for is_it in (True, False)]
    return {
        "supported": len(good),
        "unsupported": len(bad),
        "auroc": _finite(auroc(good or others[0], bad or others[1])),
        "kept": _share([support >= SUPPORT_THRESHOLD for support in good]),
        "dropped": _share([support < SUPPORT_THRESHOLD for support in bad]),
    }


def _share(facts: Sequence[bool]) -> float | None:
    return sum(facts) / len(facts) if facts else None


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def table(found: dict[str, Group]) -> str:
    """The groups as a Markdown table."""
    lines = ["| claims | supported | not | AUROC | kept | dropped |", "|---|---|---|---|---|---|"]
    for name, group in found.items():
        shares = [
            "–" if (share := group[key]) is None else f"{share:.3f}"
            for key in ("auroc", "kept", "dropped")
        ]
        lines.append(
            f"| {name} | {group['supported']} | {group['unsupported']} | {' | '.join(shares)} |"
        )
    return "\n".join(lines)


def sample(claims: Sequence[Claim], size: int) -> list[Claim]:
    """So many claims, spread over the file, half of them supported."""
    halves = [[c for c in claims if c.is_supported is is_it] for is_it in (True, False)]
    spread = [half[:: max(1, len(half) * 2 // size)] for half in halves]
    mixed = chain.from_iterable(zip_longest(*spread))
    return [claim for claim in mixed if claim is not None][:size]


def load_reader(settings: Settings) -> SupportReader | None:
    """What the settings name to read with."""
    if settings.support != BY_GENERATOR:
        return load_support_reader(settings)
    from retrieval.llm.generator import load_generator

    return GeneratorReader(load_generator(settings))


def main() -> None:
    """Print a table for words and embedder and, where a reader is set, one with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("claims", type=Path, metavar="CLAIMS.jsonl")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there, too")
    parser.add_argument("--sample", type=int, metavar="N", help="read only so many of the claims")
    arguments = parser.parse_args()
    claims: Sequence[Claim] = read_claims(arguments.claims)
    if arguments.sample:
        claims = sample(claims, arguments.sample)
    settings = load_settings()
    embedder = Embedder.load(settings)
    reader = load_reader(settings)
    checks: dict[str, SupportReader | None] = {"words and embedder": None}
    if reader is not None:
        checks[f"with {settings.support} as reader"] = reader
    tables = {name: groups([*check(claims, embedder, by)]) for name, by in checks.items()}
    for name, found in tables.items():
        click.echo(f"\n{name}, threshold {SUPPORT_THRESHOLD}\n\n{table(found)}")
    if arguments.json:
        serving = tables[[*tables][-1]]["all"]
        arguments.json.write_text(json.dumps({**serving, "tables": tables}, indent=1), "utf-8")


if __name__ == "__main__":
    main()
