"""Trained models: each an immutable folder with a card; which one serves, and which did before.

```text
models/runs/
    deployments.jsonl           what was published, tried and rolled back, when and why
    deployments.jsonl.copy      the same again, for when that is damaged
    trial.json                  the candidate on trial, while there is one
    erased.txt                  data sets that nothing may be trained on any more
    unfinished/<data set>/      the checkpoints of what is being trained
    generator/
        current                 the run that serves; absent or `base` while none does
        20260131T120000000000-1a2b3c/
            run.json            what it was made from, and the sha256 of every other file
            run.json.copy       the same again, and run.sha256, for when that is damaged
            ...                 the weights, as safetensors, and how they were learned
            gate.md  gate.json  gate.png    what the gate said
            changes.md          what people asked and the gate tried; gone once it is retired
            retired.json        only if it may not be served any more, and why
```
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from retrieval.errors import DataError, ModelCorruptError, ModelNotFoundError
from retrieval.jsonl import append_line, append_sealed, read_sealed
from retrieval.registry.folders import (
    changing,
    checksums,
    new_folder,
    point,
    replace_text,
    served,
    sweep,
)

logger = logging.getLogger(__name__)

ModelKind = Literal["retriever", "reranker", "judge", "triage", "generator"]

How = Literal["publish", "rollback", "trial", "stop"]
"""A trial changes nothing of what serves, and neither does its end."""

KINDS: tuple[ModelKind, ...] = ("retriever", "reranker", "judge", "triage", "generator")

BASE = "base"
"""The name under which the pointer knows what serves without any training."""

CARD = "run.json"
COPY = f"{CARD}.copy"
SEAL = "run.sha256"
MODEL = "model"
"""The folder in a run that keeps a whole model, as its library saves it."""
RETIRED = "retired.json"
CHANGES = "changes.md"
DEPLOYMENTS = "deployments.jsonl"
ERASED = "erased.txt"
UNFINISHED = "unfinished"
UNSAFE = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
"""Weights in these formats can run code when they are loaded."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How a run came about. With the same facts the same run can be made again.

    `base` is the id of the model that it was trained from, `dataset` the hash of what it learned.
    """

    base: str
    dataset: str
    seed: int
    code: str
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A trained model. `id` is stable and unique; `created` is ISO 8601 in UTC."""

    id: str
    kind: ModelKind
    created: str
    facts: Facts
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One change of what serves or is tried; `before` and `after` are ids of runs, or `base`."""

    at: str
    kind: ModelKind
    how: How
    before: str
    after: str
    reason: str


_RUNS = TypeAdapter(Run)


def base_of(model_id: str) -> str:
    """The id of the model that this one was learned from, `base+run`; its own if it was not."""
    return model_id.partition("+")[0]


def run_of(model_id: str) -> str:
    """The id of the run that made the model `base+run`; `base` if none did."""
    return model_id.partition("+")[2] or BASE


def write_run(home: Path, kind: ModelKind, facts: Facts, fill: Callable[[Path], None]) -> Run:
    """Keep what `fill` writes into an empty folder as a new run, which serves nobody yet.

    Raises:
        ModelCorruptError: If it wrote weights in a format that can run code.
        DataError: If somebody whom it learned from was forgotten meanwhile.
    """
    # Nobody may be forgotten between the last look and the run's appearing.
    with ExitStack() as until_it_appears, new_folder(home / kind) as beside:
        fill(beside)
        until_it_appears.enter_context(changing(home))
        _refuse_erased(home, facts.dataset)
        files = checksums(beside)
        for name in files:
            if Path(name).suffix in UNSAFE:
                raise ModelCorruptError(f"{name} is not a safe format; write safetensors")
        run = Run(beside.name[1:], kind, now(), facts, files)
        text = json.dumps(asdict(run), ensure_ascii=False, indent=1)
        for name in (CARD, COPY):
            (beside / name).write_text(text, encoding="utf-8")
        (beside / SEAL).write_text(_seal(text.encode()), encoding="utf-8")
    return run


def checkpoints(home: Path, facts: Facts) -> Path:
    """Where what is being trained can be left and taken up again; not made by this."""
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
    return home / UNFINISHED / facts.dataset / digest


def erase_dataset(home: Path, dataset: str) -> None:
    """Let nothing come any more of a data set that knows somebody who was forgotten."""
    with changing(home):
        append_line(home / ERASED, dataset)
    for folder in filter(Path.is_dir, (home / kind for kind in KINDS)):
        sweep(folder)
    shutil.rmtree(home / UNFINISHED / dataset, ignore_errors=True)


def _refuse_erased(home: Path, dataset: str) -> None:
    path = home / ERASED
    if path.exists() and dataset in path.read_text(encoding="utf-8").split("\n"):
        shutil.rmtree(home / UNFINISHED / dataset, ignore_errors=True)  # written since
        raise DataError(f"somebody whom {dataset} learned from was forgotten; export again")


def all_runs(home: Path) -> list[Run]:
    """Every run there is, the oldest first; one whose card is damaged is left out, and told."""
    folders = [path for kind in KINDS for path in (home / kind).glob("[!.]*") if path.is_dir()]
    runs = []
    for folder in folders:
        try:
            runs.append(_read(folder / CARD))
        except ModelCorruptError as error:  # it cannot serve, and keeps nothing else from it
            logger.warning("%s", error)
    return sorted(runs, key=lambda run: run.created)


def folder_of(home: Path, run: Run) -> Path:
    """Where a run's files are."""
    return home / run.kind / run.id


def find_run(home: Path, name: str) -> Run:
    """The run with this id, or the only one whose id ends like this.

    Raises:
        ModelNotFoundError: If there is none, or more than one.
    """
    ending = name.lower()  # Slack's commands are typed in lower case
    found = [run for run in all_runs(home) if ending and run.id.lower().endswith(ending)]
    if len(found) != 1:
        known = ", ".join(run.id for run in found or all_runs(home)) or "none yet"
        raise ModelNotFoundError(f"no single run {name!r}; there are: {known}")
    return found[0]


def pointed(home: Path, kind: ModelKind) -> str:
    """The id of the run of a kind that serves, or `base`; nothing is checked."""
    folder = served(home / kind)
    return folder.name if folder else BASE


def serving(home: Path, kind: ModelKind) -> Run | None:
    """The run of a kind that serves, its files checked; None if the base model does.

    Raises:
        ModelCorruptError: If a file is missing or is not what was written.
    """
    folder = served(home / kind)
    if folder is None or folder.name == BASE:
        return None
    run = _read(folder / CARD)
    verify(home, run)
    return run


def verify(home: Path, run: Run) -> None:
    """Check every byte of a run.

    Raises:
        ModelCorruptError: If a file is missing or is not what was written.
    """
    present = checksums(folder_of(home, run))
    for name, digest in run.files.items():
        if present.get(name) != digest:
            path = folder_of(home, run) / name
            raise ModelCorruptError(
                f"{path} is not what was written; `whimbrel rollback --kind {run.kind}` mends it"
            )


def publish(home: Path, run: Run, *, reason: str) -> Deployment:
    """Let a run serve from now on; the change is written down first.

    Raises:
        ModelCorruptError: If a file of the run is not what was written.
        ModelNotFoundError: If the run was retired.
    """
    verify(home, run)
    with changing(home):
        if why := retirement(home, run):
            raise ModelNotFoundError(f"run {run.id} was retired: {why}")
        return _deploy(home, run.kind, run.id, "publish", reason)


def roll_back(home: Path, kind: ModelKind, *, reason: str) -> Deployment:
    """Serve again what served before, in under a second; runs that were retired are left out.

    Raises:
        ModelNotFoundError: If the base model serves already.
    """
    with changing(home):
        return _roll_back(home, kind, reason)


def _roll_back(home: Path, kind: ModelKind, reason: str) -> Deployment:
    standing = _standing(home, kind)
    if not standing and pointed(home, kind) == BASE:
        raise ModelNotFoundError(f"no trained {kind} serves; there is nothing to roll back")
    usable = [id_ for id_ in standing[:-1] if not retirement(home, find_run(home, id_))]
    return _deploy(home, kind, usable[-1] if usable else BASE, "rollback", reason)


def withdraw(home: Path, kind: ModelKind, *, reason: str) -> Deployment:
    """Serve the base model again, whatever served before."""
    with changing(home):
        return _deploy(home, kind, BASE, "rollback", reason)


def acknowledge(home: Path, kind: ModelKind, after: str, *, reason: str) -> None:
    """Note that a run, or `base`, serves already: what it has made was put back by itself."""
    with changing(home):
        if after != pointed(home, kind):
            is_back = after == BASE or after in _standing(home, kind)
            _deploy(home, kind, after, "rollback" if is_back else "publish", reason)


def retire(home: Path, run: Run, *, reason: str) -> None:
    """Let a run never serve again; if it serves now, what served before takes over.

    The questions that it was tried on are forgotten: somebody may not want to be quoted. Doing it
    again finishes what was broken off.
    """
    (folder_of(home, run) / CHANGES).unlink(missing_ok=True)
    text = json.dumps({"at": now(), "reason": reason}, ensure_ascii=False)
    with changing(home):
        if retirement(home, run) is None:
            replace_text(folder_of(home, run) / RETIRED, text)
        if pointed(home, run.kind) == run.id:
            _roll_back(home, run.kind, reason)


def deployments(home: Path) -> list[Deployment]:
    """Every change of what serves, the oldest first.

    Raises:
        DataError: If a line is damaged, and in the copy, too.
    """
    return read_sealed(home / DEPLOYMENTS, lambda row: Deployment(**row))


def _deploy(home: Path, kind: ModelKind, after: str, how: How, reason: str) -> Deployment:
    (home / kind).mkdir(parents=True, exist_ok=True)
    change = Deployment(now(), kind, how, pointed(home, kind), after, reason)
    note(home, change)
    point(home / kind, after)
    return change


def note(home: Path, change: Deployment) -> None:
    """Write a change into the history."""
    append_sealed(home / DEPLOYMENTS, asdict(change))


def _standing(home: Path, kind: ModelKind) -> list[str]:
    """The publications that were not rolled back, the one that serves last."""
    standing: list[str] = []
    for change in deployments(home):
        if change.kind != kind:
            continue
        if change.how == "publish":
            standing.append(change.after)
        elif change.how == "rollback":
            # A line that was mended by deleting it may be the one that published this.
            known = standing.index(change.after) + 1 if change.after in standing else 0
            standing = standing[:known]
    return standing


def retirement(home: Path, run: Run) -> str | None:
    """Why a run may not serve any more; None if it may."""
    path = folder_of(home, run) / RETIRED
    if not path.exists():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["reason"])
    except (ValueError, KeyError, TypeError):
        return f"{path} cannot be read"


def _read(card: Path) -> Run:
    """The run of a card; where that is damaged and its copy is not, it is mended."""
    try:
        return _RUNS.validate_json(_sound(card))
    except (OSError, ValidationError) as error:
        raise ModelCorruptError(
            f"{card} is not what was written; `whimbrel rollback --kind {card.parent.parent.name}`"
            " lets what served before serve again, where this does"
        ) from error


def _sound(card: Path) -> bytes:
    """The bytes of a card as they were written, as far as card, copy and seal tell."""
    bodies = [_bytes(card), _bytes(card.with_name(COPY))]
    seal = _bytes(card.with_name(SEAL))
    if bodies[1] is None and seal is None:
        return card.read_bytes()  # an older release wrote one alone
    sealed = [body for body in bodies if body is not None and _seal(body).encode() == seal]
    if not sealed and (bodies[0] is None or bodies[0] != bodies[1]):
        raise OSError(f"{card} and its copy are damaged")
    body = sealed[0] if sealed else bodies[0]
    assert body is not None
    if [*bodies, seal] != [body, body, _seal(body).encode()]:
        logger.warning("mending %s", card)
        with suppress(OSError):  # it may only be read
            for path, text in ((card, body.decode()), (card.with_name(COPY), body.decode())):
                replace_text(path, text)
            replace_text(card.with_name(SEAL), _seal(body))
    return body


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _seal(body: bytes) -> str:
    return f"{hashlib.sha256(body).hexdigest()}  {CARD}\n"


def now() -> str:
    """This moment as the registry writes it: ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
