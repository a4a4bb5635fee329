"""Says in one line why a model cannot play its part; libraries say it in many, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from retrieval.errors import (
    INSTALL,
    ModelCorruptError,
    ModelUnsuitableError,
    RetrievalError,
    explain_system_error,
)

Role = Literal["embedder", "generator", "reranker", "support", "teacher"]

_REASON_CHARS = 200
_TOKENIZERS = ("tokenizer*.json", "vocab.*", "*.model", "tekken.json")
_WRITERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForSeq2SeqLM")
_WRITER = "a causal or sequence-to-sequence language model"
_WANTED = {
    "embedder": "a model of sentence-transformers or an encoder",
    "generator": _WRITER,
    "reranker": "a cross-encoder",
    "support": "an encoder that classifies pairs or tokens",
    "teacher": _WRITER,
}


@contextmanager
def loading(role: Role, name: str) -> Iterator[None]:
    """Wraps the loading of a model, and its first use.

    Raises:
        ModelUnsuitableError: If the folder `name` says that it is a model of another kind:
            libraries load an encoder as a generator, and invent the weights that it lacks. Or if
            there is no library here that runs models.
        ModelCorruptError: If a library cannot load it, whatever it raises.
    """
    if Path(name).is_dir():
        check_folder(role, Path(name))
    try:
        yield
    except RetrievalError:
        raise
    except ModuleNotFoundError as error:
        raise ModelUnsuitableError(
            f"the {role} {name} needs {error.name}, which is not installed here; set "
            f"WHIMBREL_{role.upper()} to an endpoint, or {INSTALL}"
        ) from error
    except Exception as error:
        is_system = isinstance(error, OSError) and explain_system_error(error) is not None
        if is_system or isinstance(error, MemoryError):
            raise
        raise ModelCorruptError(
            f"the {role} {name} cannot be loaded ({_reason(error)}); get its files again, or set "
            f"WHIMBREL_{role.upper()} to another model"
        ) from error


def hide_progress_bars() -> None:
    """Have transformers show none from now on; called before it loads a model."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def check_folder(role: Role, folder: Path) -> None:
    """Refuse a folder without a tokenizer, or whose configuration names a model of another kind.

    A folder that names no kind is let through; `modules.json` makes any model an embedder.

    Raises:
        ModelUnsuitableError: If it names another kind; the message says what is wanted instead.
        ModelCorruptError: If it has no tokenizer: libraries make up an empty one.
    """
    found = _architectures(folder / "config.json")
    is_writer = any(name.endswith(_WRITERS) for name in found)
    is_made_for_sentences = (folder / "modules.json").is_file()
    is_classifier = any(name.endswith("ForSequenceClassification") for name in found)
    marks_tokens = any(name.endswith("ForTokenClassification") for name in found)
    fits = {
        "embedder": is_made_for_sentences or not is_writer,
        "generator": is_writer,
        "teacher": is_writer,
        "reranker": is_classifier or (is_writer and is_made_for_sentences),
        "support": is_classifier or marks_tokens,
    }
    if found and not fits[role]:
        raise ModelUnsuitableError(
            f"the {role} {folder} is a {', '.join(found)}; wanted {_WANTED[role]}: "
            f"set WHIMBREL_{role.upper()} to one"
        )
    if found and not any(path for pattern in _TOKENIZERS for path in folder.rglob(pattern)):
        raise ModelCorruptError(
            f"the {role} {folder} has no tokenizer: it lacks tokenizer.json; get its files again, "
            f"or set WHIMBREL_{role.upper()} to another model"
        )


def _architectures(config: Path) -> list[str]:
    """The classes that a configuration names; nothing where it cannot be read, or names none."""
    try:
        values = json.loads(config.read_bytes())
    except (OSError, ValueError):  # the library that loads the model says so, and better
        return []
    found = values.get("architectures") if isinstance(values, dict) else None
    return [str(name) for name in found or ()]


def _reason(error: Exception) -> str:
    first = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
    return first if len(first) <= _REASON_CHARS else f"{first[: _REASON_CHARS - 1]}…"
