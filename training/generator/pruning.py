"""Prunes a generator's layers and channels that matter least, and lets the rest recover.

What matters is found by reading rows as they serve: a layer by how far it turns what passes through
it (block influence, Men et al. 2024), a channel of its inner width by its activations and the
weights that read them (Sun et al. 2024, for whole columns). Then an adapter learns to say of each
next token what the unpruned model says (Muralidharan et al. 2024), and is merged.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import DataError, ModelUnsuitableError
from retrieval.examples import read_examples
from retrieval.index.library import Library
from retrieval.llm.generator import load_learned
from retrieval.models.device import choose_device, use_threads
from retrieval.registry.runs import MODEL, Facts, checkpoints
from retrieval.settings import Settings
from training.curves import save_losses
from training.extra import need
from training.generator.compression import ServedModel, SmallerRun, keep, served_model
from training.generator.learned_adapter import MARKUP_TOKENS
from training.generator.rows import RowLayout, TokenRow, fitting
from training.generator.trainers import AdapterConfig, make_distiller
from training.generator.tuning import with_adapter
from training.trainer import LearnOptions

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

READ_ROWS = 64
"""So many rows show what matters; more change little."""

MULTIPLE = 32
"""Processors and GPUs multiply matrices whose sides are a multiple of this best."""


@dataclass(frozen=True, slots=True)
class PruneConfig:
    """What goes: so many whole layers, and a share of the inner channels of those that stay.

    `recovery` is how the rest learns; with no epochs it does not.
    """

    layers: int = 0
    channels: float = 0.25
    recovery: AdapterConfig = field(default_factory=lambda: AdapterConfig(upper=1.0, epochs=1.0))


@dataclass(frozen=True, slots=True)
class Importance:
    """How much each layer matters, and each channel of each layer; more is more."""

    layers: list[float]
    channels: list[torch.Tensor]


def prune(
    dataset: Path,
    settings: Settings,
    library: Library,
    config: PruneConfig,
    options: LearnOptions,
) -> SmallerRun:
    """Prune the generator that serves, let it recover on a data set's rows, and keep it as a run.

    What was broken off goes on from its last checkpoint when it is called again with the same.

    Raises:
        DataError: If the data set holds no questions out, or no answers to read.
        ExtraMissingError: If what it needs is not installed.
        ModelUnsuitableError: If the model is none of the plain kinds, or too much is to go.
        SettingsError: If there is no generator on this machine.
        IndexNotFoundError: If nothing has been published.
    """
    need("accelerate", "datasets", "peft")
    served = served_model(settings, options.on_progress)
    check_prunable(served, config)
    rows = rows_of(dataset, settings, library, served, seed=options.seed)
    facts = {"method": "prune", **asdict(config)}
    work = checkpoints(
        settings.runs_folder, Facts(served.id, dataset.name, options.seed, "", facts)
    )

    def fill(folder: Path) -> None:
        model, losses = pruned(served, rows, config, options, work)
        model.save_pretrained(folder / MODEL)
        served.chat_format().tokenizer.save_pretrained(folder / MODEL)
        save_losses(folder, losses, unit="step")

    smaller = keep(
        served,
        dataset,
        library,
        facts,
        fill,
        seed=options.seed,
        on_progress=options.on_progress,
    )
    shutil.rmtree(work, ignore_errors=True)
    return smaller


def check_prunable(served: ServedModel, config: PruneConfig) -> None:
    """Look whether what serves can be pruned so, before anything takes long.

    Raises:
        ModelUnsuitableError: If it is none of the plain kinds, or nothing would be left.
    """
    from transformers import AutoConfig

    from retrieval.llm.cpu.int8_decoder import fits

    found = AutoConfig.from_pretrained(served.path)
    if not fits(found):
        raise ModelUnsuitableError(
            f"{served.id} is a {found.model_type}; models of the types Llama, Mistral, "
            "Qwen2 and Qwen3 can be pruned"
        )
    _channels_left(found.num_hidden_layers, found.intermediate_size, config)


def _channels_left(layers: int, width: int, config: PruneConfig) -> int:
    left = round(width * (1 - config.channels)) // MULTIPLE * MULTIPLE
    if config.layers >= layers or left <= 0:
        raise ModelUnsuitableError(
            f"of {layers} layers with {width} inner channels each, fewer must go"
        )
    return left


def rows_of(
    dataset: Path, settings: Settings, library: Library, served: ServedModel, *, seed: int
) -> list[TokenRow]:
    """A data set's answers in the prompts that serve, in the tokens of what serves.

    Raises:
        DataError: If there is none.
    """
    layout = RowLayout(served.chat_format(), library.searcher(), settings, seed=seed)
    examples = [*read_examples(dataset, "train"), *read_examples(dataset, "dev")]
    most = settings.prompt_tokens + MARKUP_TOKENS + settings.answer_tokens
    rows = fitting(layout.answers(examples), max_tokens=most)
    if not rows:
        raise DataError(f"{dataset} holds no answers that may be learned from, and so none to read")
    return rows


def pruned(
    served: ServedModel,
    rows: Sequence[TokenRow],
    config: PruneConfig,
    options: LearnOptions,
    work: Path,
) -> tuple[PreTrainedModel, tuple[float, ...]]:
    """What serves without what matters least, recovered; and the losses of that."""
    check_prunable(served, config)
    device = choose_device(served.settings)
    use_threads(device)
    model = load_learned(served.folder, served.run, served.settings, device)
    some = rows[:READ_ROWS]
    options.on_progress(f"reading {len(some)} rows to see what matters")
    found = importance(model, some)
    whole = copy.deepcopy(model) if config.recovery.epochs else None
    cut(model, found, config)
    if whole is None:
        return model, ()
    adapted = with_adapter(model, config.recovery, seed=options.seed)
    trainer = make_distiller(
        adapted, whole, rows, options.setup(work), device=device, config=config.recovery
    )
    losses = options.setup(work).train(trainer, "recovery: ")
    return adapted.merge_and_unload(), losses


def importance(model: PreTrainedModel, rows: Sequence[TokenRow]) -> Importance:
    """What matters in a model while it reads rows."""
    import torch

    layers = _layers(model)
    turned = [0.0] * len(layers)
    squares = [torch.zeros(layer.mlp.down_proj.in_features) for layer in layers]

    def look(n: int, inputs: torch.Tensor, outputs: torch.Tensor) -> None:
        alike = torch.nn.functional.cosine_similarity(inputs.float(), outputs.float(), dim=-1)
        turned[n] += float((1 - alike).mean()) / len(rows)

    def count(n: int, activations: torch.Tensor) -> None:
        squares[n] += activations.float().square().sum(dim=(0, 1)).cpu()

    with _watched(layers, look, count), torch.inference_mode():
        for row in rows:
            model(input_ids=torch.tensor([[*row.prompt, *row.completion]], device=model.device))
    read = [layer.mlp.down_proj.weight.float().norm(dim=0).cpu() for layer in layers]
    return Importance(
        turned, [some.sqrt() * weights for some, weights in zip(squares, read, strict=True)]
    )


@contextmanager
def _watched(layers: Sequence[Any], look: Any, count: Any) -> Iterator[None]:  # noqa: ANN401
    """While it lasts, each layer tells what went in and came out, and what its channels held."""
    import torch

    hooks = []
    for n, layer in enumerate(layers):
        hooks.append(
            layer.register_forward_hook(
                lambda _, given, made, n=n: look(
                    n, given[0], made if isinstance(made, torch.Tensor) else made[0]
                )
            )
        )
        hooks.append(
            layer.mlp.down_proj.register_forward_pre_hook(lambda _, given, n=n: count(n, given[0]))
        )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def cut(model: PreTrainedModel, found: Importance, config: PruneConfig) -> None:
    """Take what matters least out of a model, in place; what is left is of the same kind.

    Raises:
        ModelUnsuitableError: If nothing would be left.
    """
    import torch

    layers = _layers(model)
    left = _channels_left(len(layers), model.config.intermediate_size, config)
    order = sorted(range(len(layers)), key=found.layers.__getitem__)
    kept = sorted(order[config.layers :])
    for n in kept:
        channels = found.channels[n].topk(left).indices.sort().values
        mlp = layers[n].mlp
        for linear in (mlp.gate_proj, mlp.up_proj):
            linear.weight = torch.nn.Parameter(linear.weight[channels], requires_grad=False)
            linear.out_features = left
        down = mlp.down_proj
        down.weight = torch.nn.Parameter(down.weight[:, channels].contiguous(), requires_grad=False)
        down.in_features = left
    body: Any = model.base_model
    body.layers = torch.nn.ModuleList(layers[n] for n in kept)
    for place, layer in enumerate(body.layers):
        layer.self_attn.layer_idx = place
    model.config.intermediate_size, model.config.num_hidden_layers = left, len(kept)
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = [model.config.layer_types[n] for n in kept]


def _layers(model: PreTrainedModel) -> list[Any]:
    return list(model.base_model.layers)  # type: ignore[arg-type]
