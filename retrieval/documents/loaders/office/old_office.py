"""Reads the formats of Office 97 through LibreOffice, where it is installed."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from retrieval.documents.loaders.blocks import Loaded
from retrieval.documents.loaders.csv_table import load_csv
from retrieval.documents.loaders.mail import load_mail
from retrieval.documents.loaders.markup import load_html
from retrieval.documents.loaders.office.sheets import load_workbook
from retrieval.documents.loaders.office.slides import load_slides
from retrieval.documents.loaders.office.word import load_word
from retrieval.documents.loaders.text import decode
from retrieval.errors import UnreadableError

TIMEOUT_S = 50
"""Less than a file may take to be read, so that the program is ended before its parent is."""

_HEAD_BYTES = 8_192
_TIMED_OUT = 3
_LIMITS = {resource.RLIMIT_FSIZE: 512 * 2**20, resource.RLIMIT_AS: 4 * 2**30}
_NAMES = ("soffice", "libreoffice")
_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/snap/bin"
_MAC = "/Applications/LibreOffice.app/Contents/MacOS/soffice"
_INTO: dict[str, tuple[str, Callable[[bytes], list[Loaded]]]] = {
    **dict.fromkeys((".doc", ".dot", ".rtf"), ("docx", load_word)),
    **dict.fromkeys((".xls", ".xlt", ".xlsb"), ("xlsx", load_workbook)),
    **dict.fromkeys((".ppt", ".pps", ".pot"), ("pptx", load_slides)),
}

_SHEETS = (".xls", ".xlt")
_DELIMITER = re.compile("[\t;,|]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")

OLD_SUFFIXES = frozenset(_INTO) - {".rtf"}
"""What only LibreOffice can read."""

# No macros, and nothing fetched that a document refers to.
_SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop>
<prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop>
<prop oor:name="DisableActiveContent" oor:op="fuse"><value>true</value></prop>
</item></oor:items>
"""


def load_old_office(data: bytes, suffix: str) -> list[Loaded]:
    """What a file holds once LibreOffice has made a newer one of it, unless it is one already.

    Raises:
        RestrictedError: If a sheet may say who reads its rows.
        UnreadableError: If LibreOffice is not installed, or cannot read the file.
    """
    newer, load = _INTO[suffix]
    if data.startswith(b"PK\3\4"):
        return load(data)
    if (exported := _exported(data, suffix)) is not None:
        return exported
    found = program()
    if found is None:
        raise UnreadableError(
            f"is in an older format ({suffix}), which is read where LibreOffice is installed; "
            f"save it as .{newer}"
        )
    # The process that reads documents may write no file; this one runs nothing of a document's.
    command = [sys.executable, "-P", "-m", __name__, found, suffix, newer]
    converted = subprocess.run(command, input=data, capture_output=True, check=False)  # noqa: S603
    if converted.returncode == _TIMED_OUT:
        raise UnreadableError(f"takes LibreOffice longer than {TIMEOUT_S} s to read")
    if not converted.stdout:
        raise UnreadableError(f"is damaged, protected, or not really a {suffix} file")
    return load(converted.stdout)


def _exported(data: bytes, suffix: str) -> list[Loaded] | None:
    """What a program wrote as a page or a list for Office to open; None if it is neither."""
    start = data[:_HEAD_BYTES].replace(b"\0", b"").lower()
    is_workbook = b"<workbook" in start  # the XML of Office 2003, whose tables are no page's
    if b"<html" in start or (b"<table" in start and not is_workbook):
        return load_mail(data) if b"mime-version:" in start else load_html(data)
    if suffix not in _SHEETS or start.lstrip().startswith(b"<"):
        return None
    try:
        text = decode(data)
    except UnreadableError:
        return None
    is_list = _DELIMITER.search(text.split("\n", 1)[0]) and not _CONTROL.search(text)
    return load_csv(data) if is_list else None


def program() -> str | None:
    """Where LibreOffice is, None if it is not installed."""
    # What reads documents has no environment.
    path = os.environ.get("PATH", _PATH)
    named = (shutil.which(name, path=path) for name in _NAMES)
    return next(filter(None, named), _MAC if Path(_MAC).exists() else None)


def main() -> None:
    """Convert what comes in with LibreOffice, in a folder of its own; exits with 3 if late."""
    found, suffix, newer = sys.argv[1:4]
    for limit, most in _LIMITS.items():
        # macOS refuses some limits; the clock still holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))
    with tempfile.TemporaryDirectory(prefix="whimbrel-") as name:
        folder = Path(name)
        profile = folder / "profile"
        (profile / "user").mkdir(parents=True)
        (profile / "user/registrymodifications.xcu").write_text(_SETTINGS)
        source = folder / f"file{suffix}"
        source.write_bytes(sys.stdin.buffer.read())
        command = [
            found,
            f"-env:UserInstallation={profile.as_uri()}",
            "--headless",
            "--norestore",
        ]
        command += ["--convert-to", newer, "--outdir", name, str(source)]
        is_late = _run(command, folder)
        result = folder / f"file.{newer}"
        if result.exists():
            sys.stdout.buffer.write(result.read_bytes())
    if is_late:
        sys.exit(_TIMED_OUT)


def _run(command: list[str], folder: Path) -> bool:
    """Run a program and all that it starts; whether it had to be ended."""
    child = subprocess.Popen(  # noqa: S603 - a program of this system, and names of our own
        command,
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        child.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return False


if __name__ == "__main__":
    main()
