"""JSON lines, plain or gzipped: the one reader and the one writer of them.

Only a line feed ends a line. U+2028, U+0085 and their like, at which `str.splitlines` breaks a
text, may stand inside a row.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from retrieval.errors import DataError

logger = logging.getLogger(__name__)

TOLD_BYTES = 200

SEALED = "seal"
"""The value of a row that tells whether the others are as they were written."""

T = TypeVar("T")


def to_line(row: Mapping[str, Any], *, sort_keys: bool = False) -> str:
    """A row as JSON on one line, without its end."""
    return json.dumps(row, ensure_ascii=False, sort_keys=sort_keys)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write what `to_line` made as a new file."""
    with path.open("wb") as file:
        file.writelines(map(_ended, lines))


def append_line(path: Path, line: str) -> None:
    """Write a line at the end of a file that only grows, on the disk when this returns.

    What an append that was broken off has left of a row is cut off before, and told.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        whole = _whole(path, file.read())
        file.truncate(len(whole))
        is_ended = not whole or whole.endswith(b"\n")
        file.write((b"" if is_ended else b"\n") + _ended(line))
        file.flush()
        os.fsync(file.fileno())


def read_log(path: Path, make: Callable[[dict[str, Any]], T]) -> list[T]:
    """As `read_rows`, of a file that only grows; a torn row at its end is left out, and told.

    Returns:
        The rows, the oldest first; none if there is no such file.

    Raises:
        DataError: If a line before holds something else; the message names file and line.
    """
    try:
        lines = lines_of(io.BytesIO(_whole(path, _read(path))), str(path))
        return [made(where, line, make) for where, line in lines]
    except FileNotFoundError:
        return []
    except DataError as error:
        raise DataError(f"{error}; mend that line or delete it") from error


def append_sealed(path: Path, row: Mapping[str, Any]) -> None:
    """As `append_line`, of a row that tells whether it is as it was written.

    The file is kept twice, and mended from its copy before. The caller lets nobody else write.
    """
    line = to_line({**row, SEALED: _seal(row)})
    try:
        mended = _sealed_lines(path)[1]
    except DataError:  # whoever reads it is told
        append_line(path, line)
        return
    if mended is not None:
        path.write_bytes(mended)
    append_line(path, line)
    beside = path.with_name(f".{path.name}")
    shutil.copyfile(path, beside)
    beside.replace(_copy_of(path))


def read_sealed(path: Path, make: Callable[[dict[str, Any]], T]) -> list[T]:
    """As `read_log`, of rows that `append_sealed` wrote; what is damaged is read from the copy.

    Rows that older releases wrote bear no seal and are taken as they are.

    Raises:
        DataError: If a line is damaged in both.
    """
    lines, mended = _sealed_lines(path)
    if mended is not None:
        _tell_damaged(path)
    return [made(where, line, lambda row: make(_unsealed(row))) for where, line in lines]


def _sealed_lines(path: Path) -> tuple[list[tuple[str, str]], bytes | None]:
    """The lines of a file that is kept twice, and what it should hold if it is damaged."""
    try:
        body = _read(path)
    except FileNotFoundError:
        body = b""
    spare = _copy_of(path).read_bytes() if _copy_of(path).is_file() else b""
    try:
        whole = _whole(path, body)
        lines = _checked(path, whole, spare)
    except DataError as error:
        last = whole[whole.rstrip(b"\n").rfind(b"\n") + 1 :]
        mended = spare if last in spare or not _is_checked(path, last) else spare + last
        if not spare or not _is_checked(path, mended):
            raise DataError(f"{error}; mend that line or delete it") from error
        return _checked(path, mended), mended
    if len(whole) < len(spare) and spare.startswith(whole):  # the end of it is gone
        return _checked(path, spare), spare
    return lines, None


def _checked(path: Path, body: bytes, spare: bytes = b"") -> list[tuple[str, str]]:
    lines = [*lines_of(io.BytesIO(body), str(path))]
    for where, line in lines:
        is_sealed = made(where, line, lambda row: (SEALED in row, _unsealed(row))[0])
        # Its seal may be what is damaged.
        if spare and not is_sealed and line.encode() not in spare:
            raise DataError(f"{where}: it is not as it was written")
    return lines


def _is_checked(path: Path, body: bytes) -> bool:
    try:
        return bool(_checked(path, body))
    except DataError:
        return False


def _copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.copy")


def _seal(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_line(row, sort_keys=True).encode(errors="replace")).hexdigest()[:16]


def _unsealed(row: dict[str, Any]) -> dict[str, Any]:
    seal = row.pop(SEALED, None)
    if seal is not None and seal != _seal(row):
        raise ValueError("it is not as it was written")
    return row


def first_of(folder: Path, *names: str) -> Path | None:
    """The first of these files that is there, plain or gzipped; links are followed.

    Raises:
        DataError: If one is a link that leads nowhere.
    """
    for path in (folder / f"{name}{ending}" for name in names for ending in ("", ".gz")):
        if path.is_symlink() and not path.exists():
            raise DataError(f"{path} is a link that leads nowhere")
        if path.is_file():
            return path
    return None


def read_rows(path: Path, make: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """What `make` turns each row of a file into.

    Raises:
        DataError: If a line holds no object or `make` refuses it; the message names file and line.
    """
    return (made(where, line, make) for where, line in read_lines(path))


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line of a file that is not blank, and its file and number in words.

    Raises:
        DataError: If the file is not text.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from lines_of(file, str(path))


def lines_of(file: Iterable[bytes], name: str) -> Iterator[tuple[str, str]]:
    """As `read_lines`, of a file that is open."""
    where = name
    try:
        for number, line in enumerate(file, start=1):
            where = f"{name}, line {number}"
            if line.strip():
                # Some editors begin a file with a mark of its encoding.
                yield where, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{where} cannot be read as UTF-8 text: {error}") from error


def made(where: str, line: str, make: Callable[[dict[str, Any]], T]) -> T:
    """What `make` turns one line into.

    Raises:
        DataError: If it holds no object or `make` refuses it; the message begins with `where`.
    """
    try:
        row = json.loads(line, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: found {type(row).__name__}, wanted an object")
    try:
        return make(row)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        missing = "has no " if isinstance(error, KeyError) else ""
        raise DataError(f"{where}: {missing}{error}") from error


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("it says something twice")
    return row


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # a row that is just being written is not torn
        return file.read()


def _whole(path: Path, body: bytes) -> bytes:
    """What a file that only grows holds without the torn row at its end."""
    end = body.rfind(b"\n") + 1
    torn = body[end:]
    if torn[:1] not in (b"{", b"\0"):  # a power failure may leave zeros
        return body
    try:
        json.loads(torn)
    except ValueError:
        _tell(path, torn[:TOLD_BYTES])
        return body[:end]
    return body


@cache
def _tell_damaged(path: Path) -> None:
    logger.warning("%s is damaged; what it held is read from its copy", path)


@cache  # once, however often it is read
def _tell(path: Path, torn: bytes) -> None:
    words = torn.decode(errors="replace")
    logger.warning("%s ends in a torn line, which is left out: %s", path, words)


def _ended(line: str) -> bytes:
    # Half a surrogate pair is no UTF-8; escaped like this, JSON reads it as what it was.
    return f"{line}\n".encode(errors="backslashreplace")
