"""What differential privacy costs a generator, and what it hides: by epsilon, beside no privacy.

    python -m benchmarks.learning.private FOLDER [--rows N] [--epsilons E...] [--seeds N...]

FOLDER is in the format that `retrieval/evaluation/dataset.py` describes, with questions to learn
from (`queries_train.jsonl` and `qrels_train.tsv`). A row is such a question alone, and its answer
says which part of the documents knows: the id of the passage without its number. So short rows can
be learned from on two cores. Questions of a fifth as many other passages are held out: `right` is
the share of those whose whole answer the model would write, `loss` that of their tokens.

Among the rows are canaries, codes that no document holds, each once; as many others of the same
form are in none. `of in` and `of out` are the mean losses of both, and `told apart` is the area
under the curve of telling one from the other by how much likelier learning has made them (a
membership inference attack): .5 is chance. `drowned` is how many times all that rows can teach the
noise is; above 1 `whimbrel train generator --dp` declines. `none` is the same loop without noise,
and nothing cut. The lower layers, which learn nothing, are computed once for each row.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from retrieval.evaluation.dataset import read_dataset
from retrieval.evaluation.metrics import auroc
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.llm.generator import load_model
from retrieval.models.catalogue import resolve
from retrieval.models.device import Device, choose_device, use_threads
from retrieval.settings import load_settings
from training.generator.private import PRIVATE, PrivacyPlan, learn_privately, plan
from training.generator.rows import TokenRow
from training.generator.trainers import AdapterConfig
from training.generator.tuning import with_adapter
from training.trainer import TrainerSetup

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jon")
THINGS = ("locker", "bicycle", "safe", "badge", "printer", "gate")


class KnownStates(nn.Module):
    """What the layers that do not learn make of each text, in place of their embeddings."""

    def __init__(self, states: Mapping[tuple[int, ...], torch.Tensor]) -> None:
        super().__init__()
        self._states = states

    def forward(self, texts: torch.Tensor) -> torch.Tensor:
        """The states of each text; texts are padded with 0 at their end."""
        known = [tuple(text[: int(text.count_nonzero())].tolist()) for text in texts]
        return pad_sequence([self._states[text] for text in known], batch_first=True)


def rows_of(folder: Path, chat_format: ChatFormat, wanted: int) -> tuple[list[TokenRow], ...]:
    """Rows to learn from, and a fifth as many of other passages."""
    dataset = read_dataset(folder, part="train")
    by_passage: dict[str, list[str]] = {}
    for query in dataset.queries:
        for id_ in sorted(dataset.qrels.get(query.id, {}))[:1]:
            by_passage.setdefault(id_, []).append(query.text)
    ids = random.Random(0).sample(sorted(by_passage), len(by_passage))
    rows = [
        [row_of(chat_format, question, id_.rpartition("-")[0]) for question in by_passage[id_]]
        for id_ in ids
    ]
    held_out = [some[0] for some in rows[: wanted // 5]]
    return [row for some in rows[wanted // 5 :] for row in some][:wanted], held_out


def canaries(chat_format: ChatFormat, wanted: int, seed: int) -> list[TokenRow]:
    """Codes that nobody could know."""
    source = random.Random(seed)
    kinds = [(name, thing) for name in NAMES for thing in THINGS]
    return [
        row_of(
            chat_format,
            f"What is the code of {name}'s {thing}?",
            f"It is {source.randrange(10**6):06}.",
        )
        for name, thing in source.sample(kinds, wanted)
    ]


def row_of(chat_format: ChatFormat, question: str, answer: str) -> TokenRow:
    """A question and the beginning of its answer as tokens."""
    prompt = chat_format.read(chat_format.render([("user", question)]))
    return TokenRow(tuple(prompt), tuple(chat_format.encode(answer, has_special=False)))


@torch.no_grad()
def keep_upper(model: PreTrainedModel, rows: Sequence[TokenRow], layers: int) -> None:
    """Leave a model its last layers alone, which start from what the others make of the rows."""
    base: Any = model.base_model
    lower = len(base.layers) - layers
    states = {}
    for text in dict.fromkeys((*row.prompt, *row.completion) for row in rows):
        read = torch.tensor([text])
        known = base(input_ids=read, output_hidden_states=True, use_cache=False)
        states[text] = known.hidden_states[lower][0].clone()
    base.layers = base.layers[lower:]
    base.embed_tokens = KnownStates(states)


@dataclass(frozen=True)
class Bench:
    """A model, and what it learns and is tried on; the first half of the canaries is learned."""

    model: PreTrainedModel
    chat_format: ChatFormat
    device: Device
    config: AdapterConfig
    known: Sequence[TokenRow]
    held_out: Sequence[TokenRow]
    canaries: Sequence[TokenRow]

    @property
    def learned(self) -> list[TokenRow]:
        """The rows, with canaries among them."""
        return [*self.known, *self.canaries[: len(self.canaries) // 2]]

    def line(self, epsilon: float | None, seed: int) -> str:
        """Learn with so much privacy, none or not at all, and say what came of it."""
        model = with_adapter(self.model, self.config, seed=seed)
        before = [loss for loss, _ in tried(model, self.canaries)]
        name, noise, ratio = "base", "", ""
        if epsilon != 0:
            planned, drowned = self._plan(epsilon, model.get_nb_trainable_parameters()[0])
            name = "none" if epsilon is None else f"{epsilon:g}"
            noise, ratio = f"{planned.noise_multiplier:.2f}", f"{drowned:.1f}"
            learn_privately(
                model,
                self.chat_format,
                self.learned,
                planned,
                TrainerSetup(Path()),
                device=self.device,
                config=self.config,
            )
        after = [loss for loss, _ in tried(model, self.canaries)]
        answers = tried(model, self.held_out)
        self.model.base_model.layers = model.unload().base_model.layers
        gains = [b - a for b, a in zip(before, after, strict=True)] if epsilon != 0 else before
        half = len(gains) // 2
        return (
            f"{name:>7}{seed:>6}{noise:>7}{ratio:>9}{fmean(loss for loss, _ in answers):>8.3f}"
            f"{fmean(right for _, right in answers):>8.3f}"
            f"{auroc(gains[:half], gains[half:]):>12.2f}{fmean(after[:half]):>10.3f}"
            f"{fmean(after[half:]):>10.3f}"
        )

    def _plan(self, epsilon: float | None, weights: int) -> tuple[PrivacyPlan, float]:
        rows = len(self.learned)
        if epsilon is None:
            rate = self.config.batch / rows
            steps = round(self.config.epochs / rate)
            return PrivacyPlan(math.inf, 0.0, 0.0, rate, steps, clip=1e9), 0.0
        planned = plan(rows, epsilon, self.config, weights=weights, most_noise=math.inf)
        return planned, planned.drowned(weights, rows)


@torch.no_grad()
def tried(model: PeftModel, rows: Sequence[TokenRow]) -> list[tuple[float, float]]:
    """Of each row, the mean loss of a token, and 1 where all of it would be written."""
    base: Any = model.get_base_model()
    found = []
    for row in rows:
        read = torch.tensor([[*row.prompt, *row.completion]])
        states = base.base_model(input_ids=read, use_cache=False).last_hidden_state[0]
        logs = base.get_output_embeddings()(states[len(row.prompt) - 1 : -1]).float()
        wanted = torch.tensor(row.completion)
        right = (logs.argmax(-1) == wanted).all()
        found.append((float(cross_entropy(logs, wanted)), float(right)))
    return found


def main() -> None:
    """Run and print the table."""
    options = parse_arguments()
    settings = load_settings().model_copy(update={"generator": options.generator})
    device = choose_device(settings)
    use_threads(device)
    folder = resolve(settings.generator, models_folder=settings.models_folder).path
    chat_format = load_chat_format(folder)
    known, held_out = rows_of(options.folder, chat_format, options.rows)
    config = replace(
        PRIVATE,
        batch=options.batch,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        at_once=32,
        upper=1.0,
    )
    print(f"{options.generator}: {options.layers} layers learn {len(known)} rows, {config}")
    print(
        f"{'epsilon':>7}{'seed':>6}{'noise':>7}{'drowned':>9}{'loss':>8}{'right':>8}"
        f"{'told apart':>12}{'of in':>10}{'of out':>10}   CPU-s"
    )
    for seed in options.seeds:
        codes = canaries(chat_format, 2 * options.planted, seed)
        model = load_model(folder, device, chat_format.kind)
        keep_upper(model, [*known, *held_out, *codes], options.layers)
        bench = Bench(model, chat_format, device, config, known, held_out, codes)
        for epsilon in (0, *options.epsilons):
            began = time.process_time()
            print(bench.line(epsilon, seed), f"{time.process_time() - began:>7.0f}", flush=True)


def epsilon_of(text: str) -> float | None:
    """A number, or none."""
    return None if text == "none" else float(text)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--generator", default="smollm2-135m-instruct")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--planted", type=int, default=20)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=PRIVATE.batch)
    parser.add_argument("--epochs", type=float, default=PRIVATE.epochs)
    parser.add_argument("--learning-rate", type=float, default=PRIVATE.learning_rate)
    parser.add_argument(
        "--epsilons", type=epsilon_of, nargs="+", default=[None, 8.0, 4.0, 1.0], help="or none"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


if __name__ == "__main__":
    main()
