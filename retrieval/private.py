"""Folders, files and secrets that their owner alone may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from retrieval.errors import SettingsError


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing; what is there stays as it is."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # says what is in the way


def write_private(path: Path, text: str) -> None:
    """Write a text as a file, in place of the one that may be there."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # it may have been there for all to read
        file.write(text)


def read_secret(given: str, setting: str) -> str:
    """The secret itself, or what stands in the file that is named after `@`.

    Raises:
        SettingsError: If the file cannot be read, is empty, or can be read by others than its
            owner.
    """
    given = given.strip()
    if not given.startswith("@"):
        return given
    path = Path(given[1:]).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise SettingsError(
                    f"{setting}: {path} can be read by others (mode {mode:o}); "
                    f"run `chmod 600 {path}`"
                )
            secret = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error}") from error
    if not secret:
        raise SettingsError(f"{setting}: {path} is empty; write the key into it")
    return secret
