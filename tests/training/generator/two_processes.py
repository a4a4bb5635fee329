"""One of several processes that train a tiny model together: `two_processes.py MODEL HOME`."""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.llm.chat_format import load_chat_format
from retrieval.models.catalogue import from_folder
from retrieval.registry.runs import Facts, Run
from retrieval.settings import Settings
from training.generator.learned_adapter import AdapterTrainer
from training.generator.rows import TokenRow
from training.generator.trainers import AdapterConfig, TrainingStage
from training.trainer import TrainerSetup

CONFIG = AdapterConfig(learning_rate=3e-2, at_once=2, batch=8, epochs=2, upper=1.0)


def train(model: Path, home: Path) -> Run | None:
    """The run that a tiny model leaves when it has learned eight answers."""
    base, chat_format = from_folder(model), load_chat_format(model)
    end = int(chat_format.tokenizer.eos_token_id)

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(chat_format.encode(text, has_special=False))

    rows = [TokenRow(tokens(f"ask {n}:"), (*tokens("yes" * (n + 1)), end)) for n in range(8)]
    settings = Settings(home=home, generator=str(model), device="cpu", threads=1)
    setup = TrainerSetup(home / "work")
    trainer = AdapterTrainer(base, Facts(base.id, "d", 0, "1"), CONFIG, setup)
    return trainer.learn(settings, [TrainingStage("sft", rows)])


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
