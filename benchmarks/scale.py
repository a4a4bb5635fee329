"""What an index of so many passages costs: to build, load, hold, search, and to change by 1 %.

    python -m benchmarks.scale [--sizes N,N,…] [--million] [--corpus FOLDER] [--folder WORK]
                               [--json OUT] [--picture OUT.svg]

Vectors are made from real ones, so that embedding does not hide the rest: a passage is mixed of two
real ones of the corpus (format as `retrieval/evaluation/dataset.py` describes; without it,
examples/handbook), its words as well as its vector, with a little noise. It stands with nine others
in a Markdown file, one file is Japanese, a tenth of the files is for one audience. Every step is
the program's own, each in a process of its own: reading the files, cutting, writing and publishing,
then the same after 1 % of the files have changed, then loading and searching.

All times are the processor's, those of children included, so that other programs hardly disturb
them. `embed` is what embedding would add at the speed that was measured on the corpus, `share` the
cost of 1 % beside the whole, with that and without. Memory is what loading and searching adds to a
process. Searches do not embed the query; `p99` is of those among everything.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar

import numpy as np

from benchmarks.indexing import texts
from benchmarks.peers.workers import cpu_s
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.scope import EVERYONE
from retrieval.records import Vectors
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings

P = ParamSpec("P")
T = TypeVar("T")

REAL = 500
"""So many texts of the corpus are embedded, and all others mixed of them."""

PER_FILE = 10
FILES_PER_FOLDER = 100
CLOSED = "hr"
CLOSED_FOLDER = "9"
SHARE = 0.01
SOURCES = ("docs/3/", "docs/4/1")
QUERIES = 200
WORDS = 120
"""A text has no more, so that a section of a file is one passage."""

NOISE = 0.3
JAPANESE = "出張の費用はどのように精算しますか。領収書を添えて翌月の五日までに申請してください。"

_NOTE = re.compile(r"Note (\d+)\.")


@dataclass(frozen=True)
class Seed:
    """What passages are mixed of: texts, and a row of `vectors` for each."""

    texts: tuple[str, ...]
    vectors: Vectors
    per_second: float


class MixedEmbedder(Embedder):
    """Gives a passage that was mixed the vector that it was mixed of, at no cost."""

    def __init__(self, seed: Seed) -> None:
        self.id, self.revision, self.map = "mixed", "1", None
        self.dimension, self.max_tokens = seed.vectors.shape[1], 512
        self._seed = seed
        self.asked: dict[str, int] = {}

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """A row for each text."""
        del on_batch  # there is nothing to wait for
        rows = [self._vector(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dimension)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """A row for each query: those of the passages that `asked` names, or of their texts."""
        return np.array([self._vector(text, self.asked.get(text)) for text in texts], np.float32)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Words: short enough that a section is a passage."""
        return [match.span() for match in re.finditer(r"\w+", text)]

    def _vector(self, text: str, number: int | None = None) -> Vectors:
        if number is None:
            note = _NOTE.search(text)
            number = int(note[1]) if note else zlib.crc32(text.encode())
        first, second = mixed_of(number, len(self._seed.texts))
        noise = np.random.default_rng(number).standard_normal(self.dimension, np.float32)
        mixed = self._seed.vectors[first] + self._seed.vectors[second] / 2
        vector = mixed + noise * np.float32(NOISE / self.dimension**0.5)
        unit: Vectors = vector / np.linalg.norm(vector)
        return unit


def mixed_of(number: int, count: int) -> tuple[int, int]:
    """The two of `count` real texts that a passage of this number is mixed of."""
    first, second = np.random.default_rng([number, 1]).integers(count, size=2)
    return int(first), int(second)


def mixed_text(number: int, seed: Seed) -> str:
    """The passage of this number: half the words of one text, and half of the other."""
    words = [seed.texts[n].split() for n in mixed_of(number, len(seed.texts))]
    halves = (words[0][: len(words[0]) // 2], words[1][len(words[1]) // 2 :])
    return " ".join([f"Note {number}.", *(word for half in halves for word in half)][:WORDS])


def question(number: int, seed: Seed) -> str:
    """Eight words of a real text that the passage of this number is mixed of."""
    words = seed.texts[mixed_of(number, len(seed.texts))[0]].split()
    start = number % max(1, len(words) - 8)
    return " ".join(words[start : start + 8])


@dataclass(frozen=True)
class Made:
    """What it took to make an index and to change it, in seconds of the processor."""

    passages: int
    build_s: float
    embed_s: float
    change_s: float
    disk_mb: float


@dataclass(frozen=True)
class Searched:
    """What a process measured that loaded an index and searched it."""

    load_s: float
    memory_mb: float
    query_ms: float
    query_p99_ms: float
    audience_ms: float
    sources_ms: float
    count_ms: float


@dataclass(frozen=True)
class Row(Searched, Made):
    """A line of the table."""

    @property
    def share(self) -> float:
        """What 1 % costs beside a full build, without embedding."""
        return self.change_s / self.build_s

    @property
    def share_with_embedding(self) -> float:
        """As `share`, with what embedding would add to either."""
        return (self.change_s + SHARE * self.embed_s) / (self.build_s + self.embed_s)


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    sizes = [int(size) for size in arguments.sizes.split(",") if size]
    seed = seed_of(arguments.corpus)
    print(f"{len(seed.texts)} real texts, embedded at {seed.per_second:.1f} a second", flush=True)
    rows = []
    print(f"| {' | '.join(head for head, *_ in COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    with TemporaryDirectory(dir=arguments.folder) as temporary:
        sizes += [1_000_000] if arguments.million else []
        for size in sizes:
            home = Path(temporary) / str(size)
            rows.append(measured(size, seed, home))
            shutil.rmtree(home)
            print(told(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    if arguments.picture:
        draw(rows, arguments.picture)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000,100000", metavar="N,N,…")
    parser.add_argument("--million", action="store_true", help="measure 1,000,000 passages, too")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER")
    parser.add_argument("--folder", type=Path, metavar="WORK", help="where to work; has 10 GB")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="OUT", help="one for light, one for dark")
    return parser.parse_args()


def seed_of(corpus: Path | None) -> Seed:
    """Texts of the corpus, embedded by the configured embedder."""
    found = tuple(dict.fromkeys(islice(texts(corpus), REAL)))
    embedder = Embedder.load(load_settings())
    began = time.process_time()
    vectors = embedder.embed_passages(found)
    return Seed(found, vectors, len(found) / (time.process_time() - began))


def measured(size: int, seed: Seed, home: Path) -> Row:
    """Write so many passages into files, and measure what becomes of them."""
    docs = home / "docs"
    write(docs, seed, range(size // PER_FILE))
    build_s = alone(build, home, seed)
    write(docs, seed, changed(size), offset=10 * size)
    change_s = alone(build, home, seed)
    files = [path for path in (home / "home" / "index").rglob("*") if path.is_file()]
    disk = sum(path.stat().st_size for path in files) / 2  # two generations are kept
    searched = alone(search, home, seed, size)
    return Row(
        passages=size,
        build_s=build_s,
        embed_s=size / seed.per_second,
        change_s=change_s,
        disk_mb=disk / 1e6,
        **asdict(searched),
    )


def write(docs: Path, seed: Seed, numbers: Sequence[int], *, offset: int = 0) -> None:
    """A file of ten passages for each number, and one of a single passage in Japanese."""
    for number in numbers:
        notes = range(offset + number * PER_FILE, offset + (number + 1) * PER_FILE)
        # The first section gives way to the Japanese file, so that there are as many as said.
        notes = notes[number == 0 :]
        sections = [f"## Part {n % PER_FILE}\n\n{mixed_text(n, seed)}\n\n" for n in notes]
        folder = docs / str(number % 10) / str(number // 10 // FILES_PER_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        body = f"# File {number}\n\n{''.join(sections)}"
        (folder / f"{number}.md").write_text(body, encoding="utf-8")
    (docs / "0" / "japanese.md").write_text(f"# 出張\n\n{JAPANESE}\n", encoding="utf-8")


def changed(size: int) -> range:
    """The numbers of 1 % of the files, spread over all."""
    return range(0, size // PER_FILE, round(1 / SHARE))


def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What work gives in a process that has done nothing else."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *args, **kwargs).result()


def build(home: Path, seed: Seed) -> float:
    """CPU-seconds of bringing the index up to date."""
    before = cpu_s()
    report = update_index([home / "docs"], settings_of(home), MixedEmbedder(seed))
    if report.cells:
        print(f"{report.passages} passages: {report.cells}", file=sys.stderr, flush=True)
    return cpu_s() - before


def settings_of(home: Path) -> Settings:
    """Those of the index in a folder."""
    rules = {f"docs/{CLOSED_FOLDER}/*": CLOSED}
    return Settings(home=home / "home", audiences=rules)


def search(home: Path, seed: Seed, size: int) -> Searched:
    """Load the index, and search it in several ways."""
    embedder = MixedEmbedder(seed)
    before, began = _resident_mb(), time.process_time()
    searcher = Library(settings_of(home), embedder).searcher()
    loaded = time.process_time() - began
    numbers = np.random.default_rng(0).integers(size, size=QUERIES).tolist()
    embedder.asked = {question(number, seed): number for number in numbers}
    asked = [*embedder.asked]
    embedding = milliseconds(embedder.embed_query, asked)

    def times(work: Callable[[str], object]) -> Vectors:
        return milliseconds(work, asked) - embedding

    whole = times(lambda text: searcher.search(text, audience=EVERYONE | {CLOSED}))
    narrow = times(lambda text: searcher.search(text, audience=EVERYONE))
    within = times(lambda text: searcher.search(text, sources=SOURCES))
    count = milliseconds(lambda _: searcher.count_documents(sources=SOURCES), asked)
    return Searched(
        load_s=loaded,
        memory_mb=_resident_mb() - before,
        query_ms=float(np.median(whole)),
        query_p99_ms=float(np.quantile(whole, 0.99)),
        audience_ms=float(np.median(narrow)),
        sources_ms=float(np.median(within)),
        count_ms=float(np.median(count)),
    )


def milliseconds(work: Callable[[str], object], asked: Sequence[str]) -> Vectors:
    """How long it takes for each question, after it was done once."""
    work(asked[0])
    found = []
    for text in asked:
        began = time.process_time()
        work(text)
        found.append((time.process_time() - began) * 1e3)
    return np.array(found, np.float32)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


COLUMNS = (
    ("passages", "passages", "{:,}"),
    ("build s", "build_s", "{:.1f}"),
    ("embed s", "embed_s", "{:.0f}"),
    ("1 % s", "change_s", "{:.1f}"),
    ("share", "share_with_embedding", "{:.2%}"),
    ("without", "share", "{:.1%}"),
    ("disk MB", "disk_mb", "{:.0f}"),
    ("load s", "load_s", "{:.2f}"),
    ("memory MB", "memory_mb", "{:.0f}"),
    ("query ms", "query_ms", "{:.2f}"),
    ("p99", "query_p99_ms", "{:.2f}"),
    ("audience", "audience_ms", "{:.2f}"),
    ("sources", "sources_ms", "{:.2f}"),
    ("count", "count_ms", "{:.2f}"),
)


def told(row: Row) -> str:
    """A line of the table."""
    return f"| {' | '.join(form.format(getattr(row, name)) for _, name, form in COLUMNS)} |"


PANELS = {
    "seconds": {"build_s": "build", "change_s": "change 1 %", "load_s": "load"},
    "MB": {"memory_mb": "memory", "disk_mb": "disk"},
    "ms a query": {
        "query_ms": "among all",
        "query_p99_ms": "the same, 99 %",
        "audience_ms": "for an audience",
        "sources_ms": "within sources",
    },
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Two pictures, for light and dark pages, of how all that grows with the number of passages.

    Beside each line stands its slope: 1 where ten times the passages cost ten times as much.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    for name, style in (("light", "default"), ("dark", "dark_background")):
        with plt.style.context(style), plt.rc_context({"svg.hashsalt": "scale"}):
            figure, panels = plt.subplots(1, len(PANELS), figsize=(12, 4), layout="constrained")
            for axes, (unit, lines) in zip(panels, PANELS.items(), strict=True):
                sizes = [row.passages for row in rows]
                for column, label in lines.items():
                    values = [max(getattr(row, column), 1e-3) for row in rows]
                    slope = np.polyfit(np.log(sizes), np.log(values), 1)[0]
                    axes.loglog(sizes, values, "o-", label=f"{label} ({slope:.2f})")
                axes.set(xlabel="passages", title=unit)
                axes.legend(fontsize="small")
            out = path.with_name(f"{path.stem}-{name}{path.suffix}")
            figure.savefig(out, transparent=True, metadata={"Date": None})
            plt.close(figure)


if __name__ == "__main__":
    main()
