"""Opens zip archives, unless they are damaged or unpack to too much."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from typing import IO

from retrieval.errors import UnreadableError

MAX_RATIO = 100
"""Real documents and exports pack 3 to 30 times smaller; what packs tighter is a zip bomb."""

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
"""What `zipfile` raises on archives that are not what they should be."""

_SMALL_BYTES = 16 * 2**20
_ENCRYPTED = 0x1


def open_zip(file: IO[bytes], *, max_files: int, max_bytes: float = math.inf) -> zipfile.ZipFile:
    """An archive of at most so many files and unpacked bytes.

    Raises:
        UnreadableError: If it is no archive, holds more, or looks like a zip bomb.
    """
    try:
        archive = zipfile.ZipFile(file)
        packed = file.seek(0, io.SEEK_END)
    except BROKEN as error:
        raise UnreadableError("is damaged: it is not the zip archive it should be") from error
    listed = archive.infolist()
    unpacked = sum(info.file_size for info in listed)
    if len(listed) > max_files:
        raise UnreadableError(f"is an archive of {len(listed)} files, more than {max_files}")
    if unpacked > max(_SMALL_BYTES, min(max_bytes, MAX_RATIO * packed)):
        raise UnreadableError(f"unpacks to {unpacked // 2**20} MB, which looks like a zip bomb")
    return archive


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Whether a file in an archive is protected with a password."""
    return bool(info.flag_bits & _ENCRYPTED)
