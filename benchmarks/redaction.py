"""How well personal data and secrets are found: `python -m benchmarks.redaction`.

Of texts in which they are marked: the share of what was taken out that should have been
(precision), and of what should have been that was (recall). A value counts as taken out when no
character of it is left; what is taken out beside the marked values counts against precision.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click

from bot.redaction import LIBRARIES, Redactor, is_installed
from bot.settings import SlackSettings

TEXTS = Path(__file__).parent / "data" / "redaction.tsv"
MARKED = re.compile(r"\{\{(\w+):(.*?)\}\}")
PLACEHOLDER = re.compile(r"<[A-Z]+_\d+>")
LEAST = 0.95


@dataclass
class Measured:
    """Counts by language and by kind."""

    right: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    too_much: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def recall(self, of: str) -> float:
        """The share of what should be taken out that was."""
        return self.right[of] / max(1, self.right[of] + self.missed[of])

    def precision(self, of: str) -> float:
        """The share of what was taken out that should have been."""
        return self.right[of] / max(1, self.right[of] + self.too_much[of])


def read_texts(path: Path = TEXTS) -> list[tuple[str, str]]:
    """Language and marked text of each line."""
    lines = path.read_text(encoding="utf-8").replace("¦", "").splitlines()
    return [(line[:2], line[3:]) for line in lines if line and not line.startswith("#")]


def measure(redactor: Redactor) -> Measured:
    """What a redactor takes out of the texts."""
    found = Measured()
    for language, marked in read_texts():
        wanted = MARKED.findall(marked)
        redacted = redactor.text(MARKED.sub(r"\2", marked))
        for kind, value in wanted:
            (found.missed if value in redacted else found.right).update((language, kind, "all"))
            if value in redacted:
                found.lines.append(f"missed {kind}: {redacted}")
        extra = len(PLACEHOLDER.findall(redacted)) - sum(v not in redacted for _, v in wanted)
        if extra > 0:
            found.too_much.update(extra * [language, "all"])
            found.lines.append(f"too much: {redacted}")
    return found


@click.command(help=__doc__)
def main() -> None:
    """Print precision and recall."""
    found = measure(Redactor("personal", regions=SlackSettings().phone_regions))
    more = [name for name in LIBRARIES if is_installed(name)]
    click.echo(f"{len(read_texts())} texts; beside known forms: {', '.join(more) or 'no library'}")
    for of in ("en", "zh", "all"):
        said = f"precision {found.precision(of):.3f}, recall {found.recall(of):.3f}"
        click.echo(f"{of:<4}{said}, of {found.right[of] + found.missed[of]}")
    kinds = sorted({*found.right, *found.missed} - {"en", "zh", "all"})
    told = (
        f"{kind} {found.right[kind]}/{found.right[kind] + found.missed[kind]}" for kind in kinds
    )
    click.echo(", ".join(told))
    for line in found.lines:
        click.echo(f"  {line}")
    sys.exit(0 if min(found.precision("all"), found.recall("all")) >= LEAST else 1)


if __name__ == "__main__":
    main()
