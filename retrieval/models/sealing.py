"""A list of an unpacked model's files, so that a damaged one is found before it is loaded."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from retrieval.registry.folders import checksums, replace_text

SEAL = "unpacked.json"


class SealedFile(NamedTuple):
    """What a file was when it was last read whole; nanoseconds since the epoch."""

    sha256: str
    size: int
    modified: int


_FILES = TypeAdapter(dict[str, SealedFile])


def seal(folder: Path) -> None:
    """Note what the files of a folder are."""
    sums = checksums(folder)
    sums.pop(SEAL, None)
    files = {name: _sealed(folder / name, sum_) for name, sum_ in sums.items()}
    replace_text(folder / SEAL, json.dumps(files))


def is_sealed(folder: Path) -> bool:
    """Whether there is a list; folders that older releases unpacked have none."""
    return (folder / SEAL).is_file()


def is_sound(folder: Path, *, thoroughly: bool = False) -> bool:
    """Whether the files are those that were noted.

    Those of the same size and time are taken to be the same, unless all are to be read
    `thoroughly`; of others every byte is compared.
    """
    try:
        noted = _FILES.validate_json((folder / SEAL).read_bytes())
        found = {name: _sealed(folder / name, noted[name].sha256) for name in noted}
    except (OSError, ValidationError):
        return False
    if found == noted and not thoroughly:
        return True
    sums = checksums(folder)
    sums.pop(SEAL, None)
    if sums != {name: file.sha256 for name, file in noted.items()}:
        return False
    with suppress(OSError):  # in a folder that is only read, it is read again the next time
        seal(folder)
    return True


def _sealed(path: Path, sha256: str) -> SealedFile:
    facts = path.stat()
    return SealedFile(sha256, facts.st_size, facts.st_mtime_ns)
