"""How much readers keep of files of every type, and how fast, side by side.

    python -m benchmarks.reading [--peer NAME=PYTHON …] [--limit N] [--keep FOLDER] [--json OUT]

Needs python-docx, python-pptx, openpyxl and reportlab, which write the files: the texts of the
sample handbook, as one type after the other. A peer is `markitdown`, `docling` or `unstructured`,
installed for another interpreter. `characters` are those of paragraphs, headings and cells that
come out whole, `rows` those of tables whose cells stand in one line, each in its column or named by
it, `headings` those below the title that come out as headings. `pages/s` counts pages of 3,000
characters; every file is read three times after its reader has loaded, and the fastest counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.reading.documents import WRITERS, Truth, has_tables, truths
from benchmarks.reading.peers import fastest
from benchmarks.reading.scoring import Fidelity, fidelity, total
from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.sandbox import Sandbox
from retrieval.errors import UnreadableError
from retrieval.settings import Settings

PAGE_CHARS = 3_000
PEERS = Path(__file__).with_name("peers.py")


class Read(NamedTuple):
    """What a reader made of a file: Markdown, or why there is none."""

    markdown: str
    error: str = ""


def main() -> None:
    """Write the files, have them read, and print a table."""
    arguments = parse_arguments()
    found = truths(arguments.limit)
    rows = []
    print(f"{'':8}{'':14}{'characters':>11}{'rows':>8}{'headings':>10}{'pages/s':>9}")
    with TemporaryDirectory() as name:
        for suffix in WRITERS:
            files = write(found, suffix, arguments.keep or Path(name))
            readers = {"whimbrel": read_ourselves(list(files))}
            for peer in arguments.peer:
                label, _, python = peer.partition("=")
                readers[label] = read_with(label, python, list(files))
            for reader, (texts, seconds) in readers.items():
                rows.append(row(suffix, reader, list(files.values()), texts, seconds))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--limit", type=int, metavar="N", help="no more than N documents")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files there")
    parser.add_argument("--json", type=Path, metavar="OUT")
    return parser.parse_args()


def write(found: Sequence[Truth], suffix: str, folder: Path) -> dict[Path, Truth]:
    """The files of one type, each with what is in it."""
    make, kept = WRITERS[suffix]
    files: dict[Path, Truth] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for truth in found:
        if suffix in (".xlsx", ".csv") and not has_tables(truth):
            continue
        path = folder / f"{truth.name}{suffix}"
        path.write_bytes(make(truth))
        files[path] = kept(truth)
    return files


def read_ourselves(paths: Sequence[Path]) -> tuple[list[Read], float]:
    """As `whimbrel index` reads them, the child process and what it sends back included."""
    settings = Settings()
    with Sandbox(timeout_s=settings.parse_seconds, memory_mb=settings.parse_memory_mb) as sandbox:
        _read(sandbox, paths[0])
        reads = [_read(sandbox, path) for path in paths]
        return reads, sum(fastest(partial(_read, sandbox, path)) for path in paths)


def _read(sandbox: Sandbox, path: Path) -> Read:
    try:
        _, loaded = sandbox.load(path)
    except UnreadableError as error:
        return Read("", str(error))
    return Read("\n\n".join(map(_markdown, loaded)))


def _markdown(loaded: Loaded) -> str:
    lines = [loaded.title or ""]
    before: tuple[str, ...] = ()
    for section in loaded.sections:
        lines += [f"# {heading}" for heading in section.headings if heading not in before]
        lines.append(section.text)
        before = section.headings
    return "\n".join(lines)


def read_with(name: str, python: str, paths: Sequence[Path]) -> tuple[list[Read], float]:
    """As the peer reads them, in its own interpreter."""
    command = [python, str(PEERS), name, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(paths):
        raise SystemExit(f"{name} ended early:\n{done.stderr[-2000:]}")
    reads = [Read(answer.get("text", ""), answer.get("error", "")) for answer in answers]
    return reads, sum(answer.get("seconds", 0) for answer in answers)


def row(
    suffix: str, reader: str, found: Sequence[Truth], texts: Sequence[Read], seconds: float
) -> dict[str, object]:
    """A line of the table, printed; of what could not be read nothing was kept."""
    kept: Fidelity = total(
        [fidelity(truth, read.markdown) for truth, read in zip(found, texts, strict=True)]
    )
    pages = kept.characters.all / PAGE_CHARS
    speed = f"{pages / seconds:.1f}" if seconds else "-"
    errors = [read.error for read in texts if read.error]
    print(
        f"{suffix:8}{reader:14}{kept.characters!s:>11}{kept.rows!s:>8}{kept.headings!s:>10}"
        f"{speed:>9}" + (f"  {len(errors)} not read: {errors[0][:60]}" if errors else ""),
        flush=True,
    )
    return {
        "type": suffix,
        "reader": reader,
        "characters": kept.characters,
        "rows": kept.rows,
        "headings": kept.headings,
        "pages_per_second": pages / seconds if seconds else None,
        "not_read": errors,
    }


if __name__ == "__main__":
    main()
