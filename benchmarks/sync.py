"""What a second `whimbrel sync` costs beside the first, and what kills do to one.

    python -m benchmarks.sync [--n N] [--share PERCENT] [--embedder NAME]
    python -m benchmarks.sync --kills N [--n N]

The first form syncs N documents, changes a share of them (a third each is changed, taken away and
new), and syncs again, each time with the whole command: seconds of wall and of CPU side by side,
children included. Their texts are pieces of examples/handbook under numbers.

The second form kills a sync of changes at N places: it is traced, and SIGKILL comes at a line of
its code, evenly spread from the first to the last. After each kill the sync is run again. Counted
is what is then missing or twice in the index, and how many bodies and texts were fetched and
embedded by both.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from benchmarks.indexing import texts
from retrieval.index.building import update_index
from retrieval.index.content import read_content
from retrieval.index.generation import current, verify
from retrieval.records import Vectors
from retrieval.settings import Settings, SourceTable
from retrieval.sources.connector import Remote, SourceSettings, sources_of
from retrieval.sources.folder import Folder
from retrieval.sources.syncing import pull_source, sweep
from tests.retrieval.word_embedder import WordEmbedder

TARGET = 0.02
ROOT = Path(__file__).parent.parent
TRACED = ("retrieval/sources/", "retrieval/index/", "retrieval/registry/", "retrieval/documents/")


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    with TemporaryDirectory() as temporary:
        if arguments.kills:
            print(sweep_kills(Path(temporary), n=arguments.n, kills=arguments.kills).told())
        else:
            compare(Path(temporary), arguments)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=10_000, help="number of documents")
    parser.add_argument("--share", type=float, default=1.0, help="percent that change")
    parser.add_argument("--embedder", default="multilingual-e5-small", metavar="NAME")
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    return parser.parse_args()


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    """Sync, change and sync again; print a line for each."""
    docs = folder / "docs"
    write(docs, range(arguments.n))
    (folder / "whimbrel.toml").write_text(
        f'home = "home"\nembedder = "{arguments.embedder}"\n'
        f'[sources.docs]\nkind = "folder"\npath = "{docs}"\n'
    )
    print(f"{'':<34}{'wall s':>9}{'CPU s':>9}")
    first = run_sync(folder, f"{arguments.n} documents, first")
    change(docs, arguments.n, max(3, round(arguments.n * arguments.share / 100)))
    second = run_sync(folder, f"{arguments.share:g} % changed")
    nothing = run_sync(folder, "nothing changed")
    for name, (wall, cpu) in (("changed", second), ("nothing", nothing)):
        print(f"{name}: {wall / first[0]:.2%} of the wall, {cpu / first[1]:.2%} of the CPU time")
    print(f"wanted: at most {TARGET:.0%}")


def write(docs: Path, numbers: Sequence[int]) -> None:
    """A file for each number, in folders of a hundred."""
    for number, text in zip(numbers, islice(texts(None), len(numbers)), strict=True):
        path = docs / str(number // 100) / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Document {number}\n\n{text}\n", encoding="utf-8")


def change(docs: Path, n: int, count: int) -> None:
    """Change, take away and add a third of so many documents each, spread over all."""
    spread = range(0, n, max(1, n // count))
    for number in spread[0::3]:
        path = docs / str(number // 100) / f"{number}.md"
        path.write_text(f"{path.read_text(encoding='utf-8')}\nChanged.\n", encoding="utf-8")
    for number in spread[1::3]:
        (docs / str(number // 100) / f"{number}.md").unlink()
    write(docs, range(n, n + len(spread[2::3])))


def run_sync(folder: Path, name: str) -> tuple[float, float]:
    """Seconds of wall and of CPU that the command takes, which are printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-P", "-m", "retrieval.cli", "sync"]
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    environment = os.environ | {"PYTHONPATH": path}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:<34}{wall:>9.1f}{cpu:>9.1f}", flush=True)
    return wall, cpu


@dataclass
class Harm:
    """What kills did. Numbers are of documents and texts, the `most` for one kill."""

    kills: int = 0
    unharmed: int = 0
    missing: int = 0
    doubled: int = 0
    most_fetched_twice: int = 0
    most_embedded_twice: int = 0
    places: set[str] = field(default_factory=set)

    def told(self) -> str:
        """In a few lines."""
        return (
            f"{self.kills} kills at {len(self.places)} lines, {self.unharmed} came after the end\n"
            f"in the index afterwards: {self.missing} missing, {self.doubled} too many or as they "
            "were\n"
            f"fetched twice: at most {self.most_fetched_twice}; embedded twice: at most "
            f"{self.most_embedded_twice}"
        )


def sweep_kills(folder: Path, *, n: int, kills: int) -> Harm:
    """Kill a sync of `n` documents, most of which have changed, at so many places."""
    before, after = folder / "before", folder / "after"
    write(before, range(n))
    shutil.copytree(before, after)
    change(after, n, n * 2 // 3)
    (folder / "log").mkdir()
    sync(folder / "home", before, folder / "log" / "start")
    lines = _counted(lambda: sync(folder / "counted", after, folder / "log" / "count"), folder)
    harm = Harm()
    for number in range(kills):
        home, log = folder / f"home-{number}", folder / "log" / str(number)
        shutil.copytree(folder / "home", home)
        _killed_at(1 + lines * number // kills, home, after, log, harm)
        sync(home, after, log.with_suffix(".again"))
        _check(home, after, log, harm)
        shutil.rmtree(home)
    return harm


def sync(home: Path, docs: Path, log: Path) -> None:
    """Pull and index, and note beside `log` what is fetched and embedded."""
    settings = Settings(home=home, sources={"docs": SourceTable(kind="folder", path=str(docs))})
    source = sources_of(settings)["docs"]
    folder = NotingFolder(source, docs, log.with_suffix(log.suffix + ".fetched"))
    pull_source(settings, source, folder)
    update_index((), settings, NotingEmbedder(log.with_suffix(log.suffix + ".embedded")))
    sweep(settings)


class NotingFolder(Folder):
    """Notes each body that it gives."""

    def __init__(self, source: SourceSettings, root: Path, log: Path) -> None:
        super().__init__(source, root)
        self._log = log

    def body(self, document: Remote) -> bytes:
        """The file's bytes."""
        note(self._log, document.key)
        return super().body(document)


class NotingEmbedder(WordEmbedder):
    """Notes each passage that it embeds."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def embed_passages(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> Vectors:
        """A row for each text."""
        for text in texts:
            note(self._log, _digest(text))
        return super().embed_passages(texts, on_batch=on_batch)


def note(log: Path, line: str) -> None:
    """Add a line that no kill takes back."""
    with log.open("a", encoding="utf-8") as file:
        print(line, file=file)


def _counted(work: Callable[[], None], folder: Path) -> int:
    """How many lines of ours the work executes."""
    count = folder / "lines"
    child = os.fork()
    if not child:
        seen = [0]
        _trace(lambda _: seen.__setitem__(0, seen[0] + 1))
        work()
        sys.settrace(None)
        count.write_text(str(seen[0]))
        os._exit(0)
    os.waitpid(child, 0)
    return int(count.read_text())


def _killed_at(line: int, home: Path, docs: Path, log: Path, harm: Harm) -> None:
    place = log.with_suffix(".place")
    child = os.fork()
    if not child:
        left = [line]

        def count(frame: FrameType) -> None:
            left[0] -= 1
            if not left[0]:
                place.write_text(f"{frame.f_code.co_filename}:{frame.f_lineno}")
                os.kill(os.getpid(), signal.SIGKILL)

        _trace(count)
        sync(home, docs, log)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    harm.kills += 1
    if os.WIFSIGNALED(status):
        harm.places.add(place.read_text())
    else:
        harm.unharmed += 1


def _trace(on_line: Callable[[FrameType], None]) -> None:
    def each_line(frame: FrameType, event: str, _: object) -> object:
        if event == "line":
            on_line(frame)
        return each_line

    def call(frame: FrameType, _: str, __: object) -> object:
        is_ours = any(part in frame.f_code.co_filename for part in TRACED)
        return each_line if is_ours else None

    sys.settrace(call)  # type: ignore[arg-type]


def _check(home: Path, docs: Path, log: Path, harm: Harm) -> None:
    generation = current(home / "index")
    verify(generation)
    content = read_content(generation)
    there = [(source.id, source.sha256) for source in content.sources]
    wanted = {
        f"docs/{path.relative_to(docs)}": path.read_text(encoding="utf-8")
        for path in docs.rglob("*.md")
    }
    texts_there = {passage.source.id: passage.text for passage in content.passages}
    harm.missing += len(wanted.keys() - {id_ for id_, _ in there})
    harm.doubled += len(there) - len(wanted)
    harm.doubled += sum(
        wanted.get(id_, "").endswith("Changed.\n") != text.endswith("Changed.")
        for id_, text in texts_there.items()
    )
    fetched = _noted(log, ".fetched") & _noted(log, ".again.fetched")
    harm.most_fetched_twice = max(harm.most_fetched_twice, len(fetched))
    # Others are embedded to measure what the embedder knows.
    indexed = {_digest(passage.indexed_text) for passage in content.passages}
    embedded = _noted(log, ".embedded") & _noted(log, ".again.embedded") & indexed
    harm.most_embedded_twice = max(harm.most_embedded_twice, len(embedded))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _noted(log: Path, ending: str) -> set[str]:
    path = log.with_name(log.name + ending)
    return set(path.read_text(encoding="utf-8").splitlines()) if path.exists() else set()


if __name__ == "__main__":
    main()
