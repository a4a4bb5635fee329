"""Parses files in a child process that is stopped when a file takes too much time or memory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from retrieval.documents.archives import Entry
from retrieval.documents.loaders.blocks import Loaded
from retrieval.errors import (
    NoDocumentError,
    RestrictedError,
    RetrievalError,
    UnreadableError,
)
from retrieval.records import Section

_MODULE = "retrieval.documents.sandbox"
# Every malloc arena reserves 64 MB of the address space that the memory limit counts.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "RAYON_NUM_THREADS": "1"}
_GOES_ON = "goes on\n"
"""What the child says before a page that takes its time: the clock starts anew."""

_KINDS: dict[str, type[UnreadableError]] = {"data": NoDocumentError, "restricted": RestrictedError}


class Sandbox:
    """One child process for many files; a new one follows when a file has killed the last.

    The child gets no environment but what Python needs, so it knows no secrets. Where the
    system does not enforce memory limits (macOS), the time limit alone protects. It holds for a
    file, and then for each of its first `ocr_pages` pages that are read by OCR.
    """

    def __init__(
        self,
        *,
        timeout_s: int,
        memory_mb: int,
        ocr_pages: int = 0,
        text_types: Collection[str] = (),
    ) -> None:
        """`text_types` are suffixes of what is read as plain text."""
        self._timeout_s = timeout_s
        self._text_types = text_types
        self._memory_mb = memory_mb
        self._ocr_pages = ocr_pages
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, if one is running."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def load(
        self, path: Path, *, target: Path | None = None, members: Sequence[str] = ()
    ) -> tuple[str, list[Loaded]]:
        """The sha256 of the file and of what decides what is read of it, and its documents.

        Args:
            path: What the file is called.
            target: Where it was found to be, without any link; what has become a link since then
                is not followed. None for where it is now.
            members: The names that lead to the file, where `target` is an archive that it is in.

        Raises:
            RestrictedError: If it may be meant for some people alone, and for whom is not clear.
            UnreadableError: If the file cannot be read within the limits.
            RetrievalError: If no child starts, whatever the file.
        """
        place = str(target or path.resolve())
        answer = self._answer("load", str(path.absolute()), place, *members)
        return answer["sha256"], [_loaded(fields) for fields in answer["documents"]]

    def digest(self, target: Path, *, members: Sequence[str] = ()) -> str:
        """The sha256 of a file, which `load` would say too; it raises as that does."""
        digest: str = self._answer("digest", str(target), str(target), *members)["sha256"]
        return digest

    def entries(self, target: Path) -> list[Entry]:
        """Every file in an archive, and in the archives in it.

        Raises:
            UnreadableError: If it is no archive, or cannot be read within the limits.
            RetrievalError: If no child starts, whatever the file.
        """
        answer = self._answer("entries", str(target), str(target))
        return [
            Entry(**{**fields, "names": tuple(fields["names"])}) for fields in answer["entries"]
        ]

    def _answer(self, *request: str) -> dict[str, Any]:
        child = self._child or self._start()
        reply, is_late = self._ask(child, request)
        if is_late or not reply:
            self.close()
            raise UnreadableError(self._why_died(child.returncode, is_late=is_late))
        answer: dict[str, Any] = json.loads(reply)
        if "reason" in answer:
            raise _KINDS.get(answer["kind"], UnreadableError)(answer["reason"])
        return answer

    def _start(self) -> subprocess.Popen[str]:
        paths = os.pathsep.join(path for path in sys.path if path)
        limits = self._timeout_s, self._memory_mb, self._ocr_pages
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            # -P: the working folder may be somebody's documents, and must not be imported from.
            [sys.executable, "-P", "-m", _MODULE, *map(str, limits), *self._text_types],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="ascii",
            start_new_session=True,
            env={**_ENVIRONMENT, "PYTHONPATH": paths},
        )
        if not _stream(self._child.stdout).readline():
            self.close()
            raise RetrievalError(f"cannot start the parser: `python -m {_MODULE}` says why")
        return self._child

    def _ask(self, child: subprocess.Popen[str], request: Sequence[str]) -> tuple[str, bool]:
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            child.kill()

        reply = _GOES_ON
        try:
            print(json.dumps(request), file=_stream(child.stdin), flush=True)
            while reply == _GOES_ON:
                timer = threading.Timer(self._timeout_s, stop)
                timer.start()
                try:
                    reply = _stream(child.stdout).readline()
                finally:
                    timer.cancel()
                    timer.join()
        except BrokenPipeError:
            reply = ""
        return reply, is_late.is_set()

    def _why_died(self, returncode: int, *, is_late: bool) -> str:
        if is_late or returncode == -signal.SIGXCPU:
            return f"takes longer than {self._timeout_s} s to parse"
        return f"needs more than {self._memory_mb} MB to parse, or crashes the parser"


def _stream(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("the child has no pipe")
    return stream


def _loaded(fields: dict[str, Any]) -> Loaded:
    sections = (Section(**{**s, "headings": tuple(s["headings"])}) for s in fields["sections"])
    return Loaded(**{**fields, "sections": tuple(sections), "gaps": tuple(fields["gaps"])})


def main() -> None:
    """The child: on each line in a JSON path, or what is to be done with which; JSON out."""
    timeout_s, memory_mb, ocr_pages = map(int, sys.argv[1:4])
    # What a parser prints must not get between the answers.
    with os.fdopen(os.dup(1), "w", encoding="ascii") as answers:
        os.dup2(2, 1)
        _limit(resource.RLIMIT_AS, memory_mb * 2**20)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, 0)
        clock = _Clock(timeout_s, ocr_pages, answers)
        answer = _answerer(clock.may_read, sys.argv[4:])
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            clock.start()
            try:
                request = json.loads(line)
                is_path = isinstance(request, str)
                reply = answer(*(["load", request, request] if is_path else request))
            except MemoryError:
                return  # what is left of the memory is too little to go on with
            except UnreadableError as error:
                kinds = (kind for kind, known in _KINDS.items() if isinstance(error, known))
                reply = _refusal(str(error), kind=next(kinds, ""))
            except RecursionError:
                reply = _refusal("is nested too deeply")
            except FileNotFoundError:
                reply = _refusal("has gone since it was found")
            except PermissionError:
                reply = _refusal("may not be opened")
            except Exception as error:  # on hostile files parsers raise anything
                reply = _refusal(f"cannot be parsed ({type(error).__name__}: {error})")
            signal.alarm(0)
            print(json.dumps(reply), file=answers, flush=True)


class _Clock:
    """How long the child may take for a file, and how many of its pages OCR may read."""

    def __init__(self, timeout_s: int, ocr_pages: int, answers: IO[str]) -> None:
        self._timeout_s = timeout_s
        self._ocr_pages = ocr_pages
        self._answers = answers
        self._left = 0

    def start(self) -> None:
        self._left = self._ocr_pages
        self._wind()

    def may_read(self) -> bool:
        self._left -= 1
        if self._left < 0:
            return False
        self._wind()
        self._answers.write(_GOES_ON)
        self._answers.flush()
        return True

    def _wind(self) -> None:
        # Whatever becomes of the parent, no file keeps the child for longer.
        signal.alarm(self._timeout_s + 1)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + self._timeout_s + 1)


def _answerer(
    may_read: Callable[[], bool], text_types: Sequence[str]
) -> Callable[..., dict[str, Any]]:
    from retrieval.documents.archives import Archive, Member
    from retrieval.documents.loaders import companions, load

    last: tuple[str, Archive] | None = None

    def archive(target: str) -> Archive:
        nonlocal last
        if last is None or last[0] != target:
            last = None  # it may hold an archive in memory
            last = target, Archive(open_unlinked(Path(target)))
        return last[1]

    def answer(what: str, path: str, target: str, *members: str) -> dict[str, Any]:
        if what == "entries":
            entries = [asdict(entry) for entry in archive(target).entries(text_types)]
            return {"entries": entries} if entries else _refusal("is an archive without any file")
        file: Path | Member = Path(path)
        if members:
            file = archive(target).member(*members)
            data = file.read_bytes()
        else:
            with open_unlinked(Path(target)) as stream:
                data = stream.read()
        digest = hashlib.sha256(data + companions(file)).hexdigest()
        if what == "digest":
            return {"sha256": digest}
        found = load(file, data, text_types, may_read=may_read)
        return {"sha256": digest, "documents": [asdict(document) for document in found]}

    return answer


def open_unlinked(path: Path) -> BinaryIO:
    """A file to which no link leads, open to be read.

    Raises:
        UnreadableError: If a part of the path is a link by now, or the file is something else.
    """
    # Reading the names of a folder may be forbidden where passing through it is not.
    passing = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW
    with contextlib.ExitStack() as opened:
        folder: int | None = None
        try:
            for part in (path.anchor, *path.parts[1:-1]):
                folder = os.open(part, passing, dir_fd=folder)
                opened.callback(os.close, folder)
            file = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            raise UnreadableError("has become a link since it was found") from error
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise UnreadableError("is no file any more")
        return os.fdopen(file, "rb")


def _refusal(reason: str, *, kind: str = "") -> dict[str, Any]:
    return {"reason": reason, "kind": kind}


def _limit(what: int, value: int) -> None:
    # macOS refuses some limits; the parent's clock still holds.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (value, resource.getrlimit(what)[1]))


if __name__ == "__main__":
    main()
