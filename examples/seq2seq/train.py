"""Train a T5 from random weights on a data set's rated answers, keep it as a run, and judge it.

    python -m examples.seq2seq.train DATASET [--epochs N] [--width N]

DATASET is a folder that `whimbrel export` wrote. The run takes the place of the configured
generator when it is published.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Seq2SeqTrainer,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)

from retrieval.examples import Example, read_examples
from retrieval.index.library import Library
from retrieval.index.served_embedder import load_embedder
from retrieval.llm.chat_format import ChatFormat
from retrieval.models.catalogue import resolve
from retrieval.models.device import choose_device, use_threads
from retrieval.registry.runs import MODEL, Facts, checkpoints, folder_of, write_run
from retrieval.settings import load_settings
from training.curves import save_losses
from training.gate import report
from training.generator.learned_adapter import judged
from training.generator.rows import RowLayout
from training.generator.trainers import AdapterConfig, TrainingStage, make_trainer
from training.generator.trial import read_evaluation_set
from training.progress import say
from training.trainer import TrainerSetup

VOCABULARY = 4_000
PADDING, END = "<pad>", "<end>"


def learn_tokens(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """Pieces of bytes that are frequent in the texts, so that nothing is without a token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PADDING, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=PADDING, eos_token=END
    )


def texts_of(examples: Sequence[Example]) -> Iterator[str]:
    """Everything that is read or written in examples."""
    for example in examples:
        yield example.question
        yield example.answer or ""
        yield from (passage.text for passage in example.passages)


def new_model(tokenizer: PreTrainedTokenizerFast, *, width: int) -> T5ForConditionalGeneration:
    """An encoder and a decoder of three layers each, which know nothing yet."""
    config = T5Config(  # type: ignore[call-arg]
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=width // 4,
        d_ff=width * 4,
        num_layers=3,
        num_heads=4,
        dropout_rate=0.1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    return T5ForConditionalGeneration(config)


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--epochs", default=20.0, show_default=True, help="Times that all answers are seen.")
@click.option("--width", default=128, show_default=True, help="Numbers that stand for a token.")
@click.option("--seed", default=0, show_default=True)
def main(dataset: Path, epochs: float, width: int, seed: int) -> None:
    # 1. The data set is of the documents that are indexed, and so are the prompts.
    settings = load_settings()
    device = choose_device(settings)
    use_threads(device)
    library = Library.load(settings, load_embedder(settings, on_progress=say))
    searcher = library.searcher()
    examples = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]

    # 2. A tokenizer, and a model for it. Both are random but for the set's own words.
    set_seed(seed)
    tokenizer = learn_tokens(texts_of(examples))
    model = new_model(tokenizer, width=width)
    chat_format = ChatFormat(tokenizer, "seq2seq")

    # 3. Each answer stands after the very prompt that it will be asked by when it serves.
    rows = RowLayout(chat_format, searcher, settings, seed=seed).answers(examples)
    say(f"{len(rows)} answers, {model.num_parameters():,} weights, {len(tokenizer):,} tokens")

    # 4. It learns to write the one from the other.
    config = AdapterConfig(learning_rate=1e-3, epochs=epochs, batch=8, at_once=8)
    base = resolve(settings.generator, models_folder=settings.models_folder)
    facts = Facts(
        base.id, dataset.name, seed, version("whimbrel"), {"width": width, **asdict(config)}
    )
    work = checkpoints(settings.runs_folder, facts)
    setup = TrainerSetup(work, seed, on_progress=say)
    stage = TrainingStage("sft", rows)
    trainer = make_trainer(model, chat_format, stage, setup, device=device, config=config)
    assert isinstance(trainer, Seq2SeqTrainer)
    losses = setup.train(trainer)

    # 5. The run holds the whole model; its card has the checksum of every file.
    def fill(folder: Path) -> None:
        torch.nn.Module.to(model, torch.float32)
        model.save_pretrained(folder / MODEL)
        tokenizer.save_pretrained(folder / MODEL)
        save_losses(folder, losses, unit="step")

    run = write_run(settings.runs_folder, "generator", facts, fill)
    shutil.rmtree(work)

    # 6. The gate asks both the questions that were held out, and says whether it may serve.
    evaluation_set = read_evaluation_set(dataset, settings, searcher)
    decision = judged(run, evaluation_set, settings, searcher, say)
    title = f"generator {run.id}"
    report.save(folder_of(settings.runs_folder, run), decision, title=title)
    click.echo(report.markdown(decision, title=title))
    click.echo(run.id)


if __name__ == "__main__":
    main()
