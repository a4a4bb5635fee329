"""What noise, and words chosen to mislead, cost triage: with noisy twins learned from and without.

    python -m benchmarks.robustness.classifiers [--seeds N…] [--json OUT] [--picture OUT.svg]

Half of the messages in `benchmarks/data/triage_held_out.tsv` are learned from, beside our own as
always, and the other half is measured: the share that is told rightly. `misled` has words swapped
by the gradient of the very model that is measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.robustness.twins import Loss, Scores, losses, noisy_sets, save
from benchmarks.triage import HELD_OUT
from retrieval.answering.triage import Separator, clean, load_separator
from retrieval.search.embedding import Embedder
from retrieval.settings import load_settings
from training.classifiers.triage import encoder_of, fitted_to, misleading, read_messages
from training.data.augmentation import Augmentation


def rightness(separators: Sequence[Separator], labels: Sequence[bool], model: Embedder) -> Scores:
    """For each message the share of some models that tell rightly what it is."""

    def scores(texts: Sequence[str], rows: Sequence[int]) -> list[float]:
        vectors = model.embed_queries([clean(text) for text in texts])
        said = [(separator.score(vectors) >= separator.threshold) for separator in separators]
        return [
            fmean(bool(told[place]) == labels[row] for told in said)
            for place, row in enumerate(rows)
        ]

    return scores


def main() -> None:
    """Learn, measure, print a table for each way to learn, and draw them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="OUT", help="one for light, one for dark")
    options = parser.parse_args()
    settings = load_settings()
    embedder = Embedder.load(settings)
    encoder = encoder_of(embedder, settings)
    assert encoder is not None, "the configured embedder serves, and is on this disk"
    messages = read_messages(HELD_OUT)
    texts = [message.text for message in messages.held_out]
    labels = [message.is_question for message in messages.held_out]
    served = load_separator(settings.models_folder, embedder)
    print(f"{embedder.id}: right of {len(texts)} messages; {len(messages.train)} are learned from")
    systems = {"as it serves": [served]}
    for name, is_noisy in (("learned", False), ("learned with --augment", True)):
        systems[name] = [
            fitted_to(
                messages,
                served,
                embedder,
                settings,
                seed,
                Augmentation(seed) if is_noisy else None,
            )
            for seed in options.seeds
        ]
    sets, found = noisy_sets(texts), list[Loss]()
    for name, separators in systems.items():
        found += losses(name, texts, sets, rightness(separators, labels, embedder))
        before = fmean(rightness(separators, labels, embedder)(texts, range(len(texts))))
        after = [
            score
            for separator in separators
            for score in rightness([separator], labels, embedder)(
                misleading(messages.held_out, separator, embedder, encoder), range(len(texts))
            )
        ]
        found.append(Loss(name, "misled", len(texts), before, fmean(after)))
        print(f"  {found[-1]}")
    save(found, options.json, options.picture)


if __name__ == "__main__":
    main()
