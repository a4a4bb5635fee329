"""What an index of so many passages costs: to build, load, hold, search, and to change by 1 %.

    python -m benchmarks.scale [--sizes N,N,…] [--shared] [--corpus FOLDER] [--folder WORK]
                               [--json ROWS] [--picture OUT.svg]

Vectors are made from real ones, so that embedding does not hide the rest: a passage is mixed of two
real ones of the corpus (format as `retrieval/evaluation/dataset.py` describes; without it,
examples/handbook), its words as well as its vector, with a little noise. It stands with nine others
in a Markdown file, one file is Japanese, a tenth of the files is for one audience. Every step is
the program's own, each in a process of its own: reading the files, cutting, writing and publishing,
then the same after 1 % of the files have changed, then loading and searching. With `--shared` all
that is done a second time with the index in a PostgreSQL that is started for it.

Building and changing is told in seconds of the processor, those of children and of the server
included, so that other programs hardly disturb them. `embed` is what embedding would add at the
speed that was measured on the corpus, `share` the cost of 1 % beside the whole, with that and
without. Memory is what loading and searching adds to a process; the server's is not in it.

Loading, until the first question is answered, and searching are timed by the clock in both engines,
as most of it is done by the server in one of them. Each question is asked twice and the better time
counts, so that p99 tells of slow questions rather than of who else uses the machine; `cpu ms` is
what they take of the processor, here and in the server, on average. Queries are embedded before.
`narrow` is for those who may see a tenth, `sources` looks into about as much.
`recall` is the share found of the first ten that are the best where every vector is compared.

Rows that are in the file ROWS already are not measured again, so that a long run can be several.
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
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
from pydantic import SecretStr

from benchmarks.indexing import texts
from benchmarks.peers.workers import cpu_s
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.index.scope import EVERYONE
from retrieval.index.searcher import Searcher
from retrieval.records import Vectors
from retrieval.search.dense import DenseIndex
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings, load_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tests.postgres_server import PostgresServer

P = ParamSpec("P")
T = TypeVar("T")

REAL = 500
"""So many texts of the corpus are embedded, and all others mixed of them."""

PER_FILE = 10
FILES_PER_FOLDER = 100
CLOSED = "hr"
CLOSED_FOLDER = "9"
SHARE = 0.01
ALL, NARROW = EVERYONE | {CLOSED}, frozenset({CLOSED})
SOURCES = ("docs/3/", "docs/4/1")
QUERIES, TOP = 200, 10
ENGINES = {"memory": "o-", "Postgres": "s--"}
"""Where an index is searched, and how its lines are drawn."""

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
        self.asked: dict[str, Vectors] = {}

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """A row for each text."""
        del on_batch  # there is nothing to wait for
        rows = [self._vector(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dimension)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """A row for each query: what `asked` says, or that of a passage of its text."""
        known = self.asked
        return np.array([known[t] if t in known else self._vector(t) for t in texts], np.float32)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Words: short enough that a section is a passage."""
        return [match.span() for match in re.finditer(r"\w+", text)]

    def _vector(self, text: str) -> Vectors:
        note = _NOTE.search(text)
        return self.mixed(int(note[1]) if note else zlib.crc32(text.encode()))

    def mixed(self, number: int) -> Vectors:
        """The vector of the passage of this number."""
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

    engine: str
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
    narrow_ms: float
    narrow_p99_ms: float
    sources_ms: float
    count_ms: float
    recall: float
    narrow_recall: float
    query_cpu_ms: float | None = None
    narrow_cpu_ms: float | None = None


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
    kept: Path | None = arguments.json
    rows = read(kept) if kept and kept.exists() else []
    seed = seed_of(arguments.corpus)
    print(f"{len(seed.texts)} real texts, embedded at {seed.per_second:.1f} a second", flush=True)
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(dir=arguments.folder)))
        servers: dict[str, PostgresServer | None] = {"memory": None}
        if arguments.shared:
            from tests.postgres_server import PostgresServer

            servers["Postgres"] = server = PostgresServer()
            stack.callback(server.close)
        for size in map(int, arguments.sizes.split(",")):
            for engine, of in servers.items():
                if any((row.engine, row.passages) == (engine, size) for row in rows):
                    continue
                rows.append(measured(engine, size, seed, work / "measured", of))
                shutil.rmtree(work / "measured")
                print(told(rows[-1]), file=sys.stderr, flush=True)
                if kept:
                    kept.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    rows.sort(key=lambda row: row.passages)
    for engine in servers:
        print(f"\n{engine}:\n{table([row for row in rows if row.engine == engine])}")
    if arguments.picture:
        draw(rows, arguments.picture)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,10000,100000", metavar="N,N,…")
    parser.add_argument("--shared", action="store_true", help="measure it in Postgres, too")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER")
    parser.add_argument("--folder", type=Path, metavar="WORK", help="where to work; has 10 GB")
    parser.add_argument("--json", type=Path, metavar="ROWS", help="where rows are kept")
    parser.add_argument("--picture", type=Path, metavar="OUT", help="one for light, one for dark")
    return parser.parse_args()


def read(path: Path) -> list[Row]:
    """The rows that were kept in a file."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def seed_of(corpus: Path | None) -> Seed:
    """Texts of the corpus, embedded by the configured embedder."""
    found = tuple(dict.fromkeys(islice(texts(corpus), REAL)))
    embedder = Embedder.load(load_settings())
    began = time.process_time()
    vectors = embedder.embed_passages(found)
    return Seed(found, vectors, len(found) / (time.process_time() - began))


def measured(engine: str, size: int, seed: Seed, home: Path, server: PostgresServer | None) -> Row:
    """Write so many passages into files, and measure what becomes of them.

    The index is in `home` alone, or in a new database of the server, too.
    """
    docs, address = home / "docs", prepared(server) if server else None

    def built_s() -> float:
        before = server.cpu_s() if server else 0.0
        own_s = alone(build, home, seed, address)
        return own_s + (server.cpu_s() - before if server else 0.0)

    write(docs, seed, range(size // PER_FILE))
    build_s = built_s()
    write(docs, seed, changed(size), offset=10 * size)
    change_s = built_s()
    made = Made(
        engine=engine,
        passages=size,
        build_s=build_s,
        embed_s=size / seed.per_second,
        change_s=change_s,
        disk_mb=(stored(address) if address else stored_in(home / "home" / "index")) / 1e6,
    )
    searched = alone(search, home, seed, size, address, server.pid if server else None)
    if server and address:
        server.drop(address)
    return Row(**asdict(made), **asdict(searched))


def prepared(server: PostgresServer) -> str:
    """The address of a new database for an index."""
    from tests.retrieval.index.postgres.index_server import new_index

    return new_index(server)


def stored_in(index: Path) -> float:
    """The bytes of a generation: two are kept in the folder."""
    return sum(path.stat().st_size for path in index.rglob("*") if path.is_file()) / 2


def stored(address: str) -> int:
    """The bytes of a database, in which two generations share what is the same in both."""
    import psycopg

    with psycopg.connect(address) as connection:
        row = connection.execute("select pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


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


def build(home: Path, seed: Seed, address: str | None = None) -> float:
    """CPU-seconds that this process takes to bring the index up to date."""
    before = cpu_s()
    report = update_index([home / "docs"], settings_of(home, address), MixedEmbedder(seed))
    if report.cells:
        print(f"{report.passages} passages: {report.cells}", file=sys.stderr, flush=True)
    return cpu_s() - before


def settings_of(home: Path, address: str | None = None) -> Settings:
    """Those of the index in a folder, or in a database."""
    rules = {f"docs/{CLOSED_FOLDER}/*": CLOSED}
    index = SecretStr(address) if address else None
    return Settings(home=home / "home", audiences=rules, index=index)


def search(
    home: Path, seed: Seed, size: int, address: str | None = None, server: int | None = None
) -> Searched:
    """Load the index, and search it in several ways; `server` is the pid of who does it."""
    embedder = MixedEmbedder(seed)
    numbers = np.random.default_rng(0).integers(size, size=QUERIES).tolist()
    embedder.asked = {question(number, seed): embedder.mixed(number) for number in numbers}
    asked = [*embedder.asked]
    before, began = _resident_mb(), time.perf_counter()
    searcher = Library(settings_of(home, address), embedder).searcher()
    first(searcher, asked[0], ALL)
    load_s = time.perf_counter() - began
    spent = [spent_s(server)]
    whole, found = timed(lambda text: first(searcher, text, ALL), asked)
    spent.append(spent_s(server))
    narrow, found_narrow = timed(lambda text: first(searcher, text, NARROW), asked)
    spent.append(spent_s(server))
    query_cpu_ms, narrow_cpu_ms = (1e3 * np.diff(spent) / (2 * len(asked))).tolist()
    within, _ = timed(lambda text: searcher.search(text, sources=SOURCES), asked)
    count, _ = timed(lambda _: searcher.count_documents(sources=SOURCES), asked)
    memory_mb = _resident_mb() - before
    # Where the shared one was built there is a copy of it.
    held = Library(settings_of(home), embedder).searcher() if address else searcher
    index = held.index.in_memory()
    exact = Searcher(replace(index, dense=DenseIndex(index.vectors)), embedder)
    return Searched(
        load_s=load_s,
        memory_mb=memory_mb,
        query_ms=float(np.median(whole)),
        query_p99_ms=float(np.quantile(whole, 0.99)),
        narrow_ms=float(np.median(narrow)),
        narrow_p99_ms=float(np.quantile(narrow, 0.99)),
        sources_ms=float(np.median(within)),
        count_ms=float(np.median(count)),
        recall=recall(found, [first(exact, text, ALL) for text in asked]),
        narrow_recall=recall(found_narrow, [first(exact, text, NARROW) for text in asked]),
        query_cpu_ms=query_cpu_ms,
        narrow_cpu_ms=narrow_cpu_ms,
    )


def spent_s(server: int | None) -> float:
    """Seconds of the processor so far, a server's included."""
    if server is None:
        return cpu_s()
    from tests.postgres_server import cpu_s_of

    return cpu_s() + cpu_s_of(server)


def first(searcher: Searcher, text: str, audience: frozenset[str]) -> frozenset[str]:
    """The ids of the first ten passages."""
    return frozenset(hit.passage.id for hit in searcher.search(text, k=TOP, audience=audience))


def recall(found: Sequence[frozenset[str]], best: Sequence[frozenset[str]]) -> float:
    """The share of the best that is found, the mean of all questions."""
    return float(np.mean([len(a & b) / len(b) for a, b in zip(found, best, strict=True)]))


def timed(work: Callable[[str], T], asked: Sequence[str]) -> tuple[Vectors, list[T]]:
    """How many milliseconds it takes for each question, at the better of two times; the results."""
    results, taken = [], []
    for text in [*asked, *asked]:
        began = time.perf_counter()
        results.append(work(text))
        taken.append((time.perf_counter() - began) * 1e3)
    return np.array(taken, np.float32).reshape(2, -1).min(axis=0), results[: len(asked)]


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
    ("cpu ms", "query_cpu_ms", "{:.2f}"),
    ("narrow", "narrow_ms", "{:.2f}"),
    ("p99", "narrow_p99_ms", "{:.2f}"),
    ("cpu ms", "narrow_cpu_ms", "{:.2f}"),
    ("sources", "sources_ms", "{:.2f}"),
    ("count", "count_ms", "{:.2f}"),
    ("recall", "recall", "{:.3f}"),
    ("narrow recall", "narrow_recall", "{:.3f}"),
)


def told(row: Row) -> str:
    """A line of the table."""
    cells = ((form, getattr(row, name)) for _, name, form in COLUMNS)
    told = ("-" if value is None else form.format(value) for form, value in cells)
    return f"| {' | '.join(told)} |"


def table(rows: Sequence[Row]) -> str:
    """The rows as a table of Markdown."""
    heads = f"| {' | '.join(head for head, *_ in COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
    return "\n".join([heads, *map(told, rows)])


PANELS = {
    "seconds of the processor": {"build_s": "build", "change_s": "change 1 %"},
    "MB": {"memory_mb": "memory of a process", "disk_mb": "disk"},
    "ms of the processor a query": {
        "query_cpu_ms": "among all",
        "narrow_cpu_ms": "among a tenth",
    },
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Two pictures, for light and dark pages, of how all that grows with the number of passages.

    Beside each name stand the slopes of its lines: 1 where ten times the passages cost ten times as
    much.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    for name, style in (("light", "default"), ("dark", "dark_background")):
        with plt.style.context(style), plt.rc_context({"svg.hashsalt": "scale"}):
            figure, panels = plt.subplots(1, len(PANELS), figsize=(12, 5), layout="constrained")
            figure.suptitle(
                "circles: index in memory, squares: in Postgres; the slopes in brackets"
            )
            for axes, (unit, columns) in zip(panels, PANELS.items(), strict=True):
                for n, (column, label) in enumerate(columns.items()):
                    draw_lines(axes, rows, column, label, color=f"C{n}")
                axes.set(xlabel="passages", title=unit)
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), frameon=False)
            out = path.with_name(f"{path.stem}-{name}{path.suffix}")
            figure.savefig(out, transparent=True, metadata={"Date": None})
            plt.close(figure)


def draw_lines(axes: Axes, rows: Sequence[Row], column: str, label: str, *, color: str) -> None:
    """A line for each engine, and one name for both."""
    slopes = []
    for engine, style in ENGINES.items():
        points = [(r.passages, getattr(r, column)) for r in rows if r.engine == engine]
        points = [(size, value) for size, value in points if value is not None]
        if points:
            sizes, values = zip(*points, strict=True)
            axes.loglog(sizes, values, style, color=color)
            slopes.append(f"{np.polyfit(np.log(sizes), np.log(values), 1)[0]:.2f}")
    axes.plot([], [], color=color, label=f"{label} ({', '.join(slopes)})")


if __name__ == "__main__":
    main()
