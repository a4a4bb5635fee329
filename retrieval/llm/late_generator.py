"""A generator that is loaded when it first has something to read or to write.

Most questions are answered with quotes, or not at all, and need none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from retrieval.llm.generator import Generator, fitting_run, load_generator, weights_of
from retrieval.models.catalogue import ModelFolder, resolve
from retrieval.models.device import choose_device
from retrieval.models.endpoint import is_endpoint
from retrieval.models.loading import loading
from retrieval.progress import Tell
from retrieval.records import Completion
from retrieval.settings import Settings

_WEIGHTS, _HEAD = "model.safetensors", "lm_head.weight"


class LateGenerator:
    """A local causal model of which only the configuration has been read. Threads may share one.

    `load` is called once, by what first needs the model's tokens.
    """

    kind: Literal["causal"] = "causal"

    def __init__(
        self, id_: str, *, context_tokens: int, parameters: int, load: Callable[[], Generator]
    ) -> None:
        self.id, self.context_tokens, self.parameters = id_, context_tokens, parameters
        self._load = load
        self._loaded: Generator | None = None
        self._lock = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """As `Generator.count_tokens`."""
        return self._generator().count_tokens(text)

    def generate(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        max_tokens: int,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        end: Sequence[str] = (),
    ) -> Completion:
        """As `Generator.generate`."""
        return self._generator().generate(
            messages, max_tokens=max_tokens, on_text=on_text, should_stop=should_stop, end=end
        )

    def close(self) -> None:
        """As `Generator.close`."""
        with self._lock:
            if self._loaded is not None:
                self._loaded.close()

    def _generator(self) -> Generator:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded


def load_late(settings: Settings, *, on_progress: Tell | None = None) -> Generator:
    """The generator that `load_generator` loads; a plain local one not before it is needed.

    What the settings have wrong is told now, what is wrong with the model's files once it is
    needed.

    Raises:
        RetrievalError: As `load_generator`.
    """
    if not is_endpoint(settings.generator):
        folder = resolve(
            settings.generator, models_folder=settings.models_folder, on_progress=on_progress
        )
        if (late := _late(folder, settings, on_progress)) is not None:
            return late
    return load_generator(settings, on_progress=on_progress)


def _late(
    folder: ModelFolder, settings: Settings, on_progress: Tell | None
) -> LateGenerator | None:
    run = fitting_run(folder, None, settings, on_progress or (lambda _: None))
    if (sizes := _sizes(weights_of(folder, run, settings))) is None:
        return None
    choose_device(settings)  # refuses one that is not here

    def load() -> Generator:
        with loading("generator", settings.generator):
            return load_generator(settings, run=run)

    id_ = folder.id if run is None else f"{folder.id}+{run.id}"
    return LateGenerator(id_, context_tokens=sizes[0], parameters=sizes[1], load=load)


def _sizes(folder: Path) -> tuple[int, int] | None:
    """The longest text and the number of weights, if the model is so plain that files tell."""
    # Whoever has endpoints alone does without torch.
    from retrieval.llm.cpu.plain_model import PLAIN_MODELS

    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
        if config["model_type"] not in PLAIN_MODELS or "quantization_config" in config:
            return None
        with safe_open(folder / _WEIGHTS, "numpy") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        if config.get("tie_word_embeddings"):
            shapes.pop(_HEAD, None)
        return int(config["max_position_embeddings"]), sum(map(prod, shapes.values()))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
