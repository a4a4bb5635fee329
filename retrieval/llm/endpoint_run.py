"""A run that is a model of an endpoint, or instructions for one: nothing of it was trained here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from retrieval.errors import ModelCorruptError
from retrieval.records import Instructions
from retrieval.registry.runs import Run, folder_of, verify

FILE = "endpoint.json"


@dataclass(frozen=True, slots=True)
class EndpointRun:
    """Which of the endpoint's models is asked, and with which instructions; None for our own."""

    model: str
    instructions: Instructions | None = None


_RUNS = TypeAdapter(EndpointRun)


def write_endpoint_run(folder: Path, named: EndpointRun) -> None:
    """Write it into the folder of a new run."""
    text = json.dumps(asdict(named), ensure_ascii=False, indent=1)
    (folder / FILE).write_text(f"{text}\n", encoding="utf-8")


def read_endpoint_run(home: Path, run: Run) -> EndpointRun | None:
    """What a run names, its files checked; None of one that was trained.

    Raises:
        ModelCorruptError: If a file of the run is not what was written.
    """
    if FILE not in run.files:
        return None
    verify(home, run)
    path = folder_of(home, run) / FILE
    try:
        return _RUNS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise ModelCorruptError(f"{path} names no model of an endpoint: {error}") from error
