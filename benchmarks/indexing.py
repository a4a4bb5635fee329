"""Speed of building an index beside the bare embedder's `encode` of the same passages, in one run.

    python -m benchmarks.indexing [--corpus FOLDER] [--n N] [--repetitions N] [--embedder NAME]...

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes; without it,
examples/handbook is cut into pieces. Each text becomes a section of a Markdown file, and texts are
repeated under other numbers until there are N. Building reads the files, cuts, embeds and writes;
the bare embedder gets the passages that came of it, longest first, in the same precision and with
the same prefix. Repetitions alternate, and medians are shown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from retrieval.evaluation.dataset import read_dataset
from retrieval.index.building import update_index
from retrieval.index.content import read_content
from retrieval.index.generation import current
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device
from retrieval.search.embedding import Embedder, load_model, prefixes_of
from retrieval.settings import Settings, load_settings

HANDBOOK = Path(__file__).parent.parent / "examples" / "handbook"
PIECE_CHARS = 800
SECTIONS_PER_FILE = 8
TARGET = 0.9


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    settings = load_settings()
    device = choose_device(settings, is_for_encoder=True)
    print(f"{device.name}, {device.dtype}, {device.threads} threads; wanted: {TARGET} of bare\n")
    print(f"{'passages/s':<36}{'passages':>9}{'bare':>8}{'embedded':>16}{'indexed':>16}")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "documents"
        write_documents(folder, list(islice(texts(arguments.corpus), arguments.n)))
        for name in arguments.embedder or [settings.embedder]:
            own = settings.model_copy(update={"embedder": name})
            measure(folder, own, Path(temporary) / "home", arguments.repetitions)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER")
    parser.add_argument("--n", type=int, default=160, help="number of texts")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--embedder", action="append", metavar="NAME", help="may be repeated")
    return parser.parse_args()


def texts(corpus: Path | None) -> Iterator[str]:
    """The corpus's texts, again and again."""
    if corpus is not None:
        return cycle(passage.text for passage in read_dataset(corpus).passages)
    files = [file.read_text(encoding="utf-8") for file in sorted(HANDBOOK.rglob("*.md"))]
    return cycle(
        text[start : start + PIECE_CHARS]
        for text in files
        for start in range(0, len(text), PIECE_CHARS)
    )


def write_documents(folder: Path, found: Sequence[str]) -> None:
    """Files of some texts each, under numbers that make each passage another one."""
    folder.mkdir()
    sections = [f"# {number}\n\n{text}\n\n" for number, text in enumerate(found)]
    for start in range(0, len(sections), SECTIONS_PER_FILE):
        body = "".join(sections[start : start + SECTIONS_PER_FILE])
        (folder / f"{start}.md").write_text(body, encoding="utf-8")


def measure(folder: Path, settings: Settings, home: Path, repetitions: int) -> None:
    """Print a line: passages a second of the bare embedder, of ours, and of the whole update."""
    model_folder = resolve(settings.embedder, models_folder=settings.models_folder)
    bare = load_model(model_folder, settings)
    embedder = Embedder.load(settings)
    own = settings.model_copy(update={"home": home})
    update_index([folder], own, embedder, full=True)
    passages = read_content(current(own.index_folder)).passages
    found = sorted((passage.indexed_text for passage in passages), key=len, reverse=True)
    prefix = prefixes_of(model_folder.name, bare.prompts)[1]
    turns = [
        (
            seconds(lambda: bare.encode(found, prompt=prefix, show_progress_bar=False)),
            seconds(lambda: embedder.embed_passages(found)),
            seconds(lambda: update_index([folder], own, embedder, full=True)),
        )
        for _ in range(repetitions)
    ]
    rates = [len(found) / median(column) for column in zip(*turns, strict=True)]
    shown = "".join(f"{rate:>8.1f} ({rate / rates[0]:.2f})" for rate in rates[1:])
    print(f"{embedder.id:<36}{len(found):>9}{rates[0]:>8.1f} {shown}")


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
