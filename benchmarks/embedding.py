"""Throughput of `Embedder.embed_passages` against bare `SentenceTransformer.encode`, in one run.

    python benchmarks/embedding.py [--corpus FOLDER] [--n 512] [--repetitions 3]

Both get the same model in the same precision and the same passages, longest first; repetitions
alternate. FOLDER holds `corpus.jsonl.gz`, a JSON object with `text` on each line. Without it, the
Markdown files of this repository are cut into passages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from retrieval.embedding import Embedder, load_model
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device
from retrieval.settings import load_settings

REPOSITORY = Path(__file__).parent.parent


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    settings = load_settings()
    embedder = Embedder.load(settings, on_progress=print)
    folder = resolve(settings.embedder, models_folder=settings.models_folder)
    bare = load_model(folder, settings)
    texts = sorted(passages(arguments.corpus, arguments.n), key=len, reverse=True)
    prompt = "passage: " if "passage" in bare.prompts else ""
    ours, theirs = alternated(
        lambda: embedder.embed_passages(texts),
        lambda: bare.encode(texts, prompt=prompt, show_progress_bar=False),
        arguments.repetitions,
    )
    device = choose_device(settings)
    print(f"{embedder.id} on {device.name}, {device.dtype}, {device.threads} threads")
    print(
        f"passages           {len(texts)}, mean {sum(map(len, texts)) / len(texts):.0f} characters"
    )
    print(f"Embedder           {len(texts) / ours:.1f} passages/s")
    print(f"bare encode        {len(texts) / theirs:.1f} passages/s")
    print(f"ratio              {theirs / ours:.2f}")
    print(f"one query          {1000 * query_seconds(embedder):.1f} ms (median)")


def parse_arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--corpus", type=Path, help="folder with corpus.jsonl.gz")
    parser.add_argument("--n", type=int, default=512, help="number of passages")
    parser.add_argument("--repetitions", type=int, default=3)
    return parser.parse_args()


def passages(corpus: Path | None, n: int) -> list[str]:
    """`n` texts, repeated if there are fewer."""
    if corpus is None:
        files = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("examples/**/*.md")]
        text = "\n".join(file.read_text(encoding="utf-8") for file in files)
        found = [text[start : start + 1000] for start in range(0, len(text), 1000)]
    else:
        with gzip.open(corpus / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
            found = [json.loads(line)["text"] for line in islice(lines, n)]
    return list(islice(cycle(found), n))


def alternated(
    ours: Callable[[], object], theirs: Callable[[], object], repetitions: int
) -> tuple[float, float]:
    """Median seconds of each, taken in turns so that both meet the same load."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repetitions)]
    return median(first for first, _ in pairs), median(second for _, second in pairs)


def query_seconds(embedder: Embedder) -> float:
    """Median seconds of embedding one short query."""
    return median(
        seconds(lambda: embedder.embed_query("How do I ask for leave?")) for _ in range(20)
    )


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
