"""Reads the files of a git repository on any host; after the first time, only what has changed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import getproxies

from pydantic import SecretStr, field_validator

from retrieval.documents.loaders import comes_along
from retrieval.documents.loaders.blocks import storable
from retrieval.errors import CursorExpiredError, SettingsError, SourceError
from retrieval.private import make_private
from retrieval.sources.addresses import Resolve, is_public, resolved
from retrieval.sources.connector import Options, Page, Remote, SourceSettings

FETCH_S = 3_600
QUICK_S = 300
PAGE = 500
HEAD = "refs/whimbrel/head"
SEEN = "refs/whimbrel/seen"
LFS = b"version https://git-lfs.github.com/spec/"

_REMOTE = re.compile(
    r"(https?|ssh)://(?P<user>\w[^/@\s]*@)?\w[\w.-]*(:\d+)?/\S*|\w[\w.-]*@\w[\w.-]*:[^-\s]\S*"
)
_BRANCH = re.compile(r"[\w][\w./-]*")
_PASSED_ON = (
    *("PATH", "HOME", "LANG", "SSH_AUTH_SOCK", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("GIT_SSL_CAINFO", "https_proxy", "HTTPS_PROXY", "http_proxy", "no_proxy", "NO_PROXY"),
)
_HELPER = '!f() { echo "username=$WHIMBREL_GIT_USER"; echo "password=$WHIMBREL_GIT_TOKEN"; }; f'


class GitOptions(Options):
    """`link` is the address of a file, with `{path}` in it; `user` goes with the token."""

    url: str
    branch: str | None = None
    path: str = ""
    link: str | None = None
    user: str = "git"
    token: SecretStr | None = None
    local: bool = False

    @field_validator("branch")
    @classmethod
    def _is_branch(cls, branch: str | None) -> str | None:
        if branch is not None and (not _BRANCH.fullmatch(branch) or ".." in branch):
            raise ValueError(f"found {branch!r}; wanted the name of a branch")
        return branch


def connect(settings: SourceSettings, *, resolve: Resolve = resolved) -> Git:
    """The connector of a repository.

    Raises:
        SettingsError: If its address is none that may be read, or if not everybody can reach it and
            nothing says who may read it.
    """
    options = settings.read(GitOptions)
    match = _REMOTE.fullmatch(options.url)
    if match is None and not options.local:
        raise SettingsError(
            f"{settings.title} url: found {_told(options.url)!r}; wanted https://HOST/REPOSITORY "
            "or USER@HOST:REPOSITORY, or local = true for a repository on this machine"
        )
    if match is not None and match["user"] and (match[1] != "ssh" or ":" in match["user"]):
        raise SettingsError(
            f"{settings.title} url holds credentials; set {settings.variable('token')} instead"
        )
    if options.token and not options.url.startswith("https://"):
        raise SettingsError(f"{settings.title} token: only https:// keeps it secret")
    if match is None or match[1] not in ("https", "http"):
        settings.need_audience()  # a key opens it, or who is on this machine
    elif settings.audience is None and not _is_open(options.url, resolve):
        settings.need_audience()
    return Git(settings, options)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of a tree; no `blob` is one that has gone."""

    path: bytes
    blob: str | None

    @property
    def key(self) -> str:
        """The path, with what is no UTF-8 in it spelled out."""
        return self.path.decode(errors="backslashreplace")


class Git:
    """One branch of a repository: a shallow copy without working files, hooks and submodules.

    A file's key is its path, its version what git calls its content. `modified` is the date of the
    commit that it was noticed in.
    """

    def __init__(self, settings: SourceSettings, options: GitOptions) -> None:
        self._settings, self._options = settings, options
        self._folder = settings.folder / "repository.git"
        self._reader: subprocess.Popen[bytes] | None = None

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """The files of the branch, or what has changed since the commit that the cursor names."""
        self._fetch()
        head, date = self._run("log", "-1", "--format=%H %cI", HEAD).decode().split()
        entries = list(self._tree(head) if cursor is None else self._changes(cursor, head))
        pages = [entries[at : at + PAGE] for at in range(0, len(entries), PAGE)] or [[]]
        for number, page in enumerate(pages, start=1):
            yield Page(
                [self._remote(entry, entry.blob, date) for entry in page if entry.blob],
                gone=[entry.key for entry in page if not entry.blob],
                cursor=head if number == len(pages) else cursor,
            )
        self._run("update-ref", SEEN, head)

    def body(self, document: Remote) -> bytes:
        """The file's bytes, as they were committed."""
        data = self._read(document.version)
        if data.startswith(LFS):
            raise SourceError("is kept in Git LFS, which is not read")
        return data

    def close(self) -> None:
        """End what reads files."""
        if self._reader is not None:
            self._reader.kill()
            self._reader.communicate()
            self._reader = None

    def _remote(self, entry: _Entry, blob: str, date: str) -> Remote:
        link = self._options.link
        url = link.replace("{path}", quote(entry.path)) if link else None
        return Remote(entry.key, blob, storable(os.fsdecode(entry.path)), None, date, url=url)

    def _fetch(self) -> None:
        if not (self._folder / "HEAD").exists():
            make_private(self._folder)
            self._run("init", "--quiet", "--bare", "--template=", str(self._folder))
        self._run(
            *("fetch", "--quiet", "--force", "--depth=1", "--no-tags", "--no-recurse-submodules"),
            *("--no-write-fetch-head", "--", self._options.url),
            f"+{self._options.branch or 'HEAD'}:{HEAD}",
            timeout_s=FETCH_S,
        )

    def _tree(self, head: str) -> Iterator[_Entry]:
        said = self._run("ls-tree", "-r", "-z", "--full-tree", head, "--", *self._paths())
        for line in said.split(b"\0"):
            if line:
                facts, _, path = line.partition(b"\t")
                mode, _, blob = facts.decode().split()[:3]
                yield from self._wanted(mode, blob, path)

    def _changes(self, cursor: str, head: str) -> Iterator[_Entry]:
        try:
            said = self._run(
                *("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", cursor, head),
                *("--", *self._paths()),
            )
        except SourceError as error:
            raise CursorExpiredError(f"the commit {cursor} is not here any more") from error
        told = said.split(b"\0")[:-1]
        for facts, path in zip(told[::2], told[1::2], strict=True):
            _, mode, _, blob, status = facts.decode().split()
            if status == "D" or not list(self._wanted(mode, blob, path)):
                yield _Entry(path, None)
            else:
                yield from self._wanted(mode, blob, path)

    def _wanted(self, mode: str, blob: str, path: bytes) -> Iterable[_Entry]:
        """The file, unless it is a link or a submodule, is hidden or comes along with others."""
        name = Path(os.fsdecode(path))
        is_file = mode in ("100644", "100755", "100664")
        is_document = is_file and not comes_along(name, self._settings.text_types)
        if is_document and not any(part.startswith(".") for part in name.parts):
            yield _Entry(path, blob)

    def _paths(self) -> Sequence[str]:
        path = self._options.path.strip("/")
        return (path,) if path else ()

    def _read(self, blob: str) -> bytes:
        if self._reader is None:
            self._reader = subprocess.Popen(  # noqa: S603 - no shell, and arguments of our own
                self._command("cat-file", "--batch"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment(),
            )
        asked, answers = self._reader.stdin, self._reader.stdout
        assert asked is not None
        assert answers is not None
        asked.write(f"{blob}\n".encode())
        asked.flush()
        head = answers.readline().split()
        if len(head) != 3:
            raise SourceError("is not in the repository any more")
        try:
            self._settings.check_size(int(head[2]))
        except SourceError:
            self.close()  # all of it would stand before the next answer
            raise
        data = answers.read(int(head[2]))
        answers.read(1)
        return data

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "--git-dir", str(self._folder), *arguments]

    def _run(self, *arguments: str, timeout_s: float = QUICK_S) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and what is not ours is checked
                self._command(*arguments),
                capture_output=True,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise SettingsError("the program git is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"git {arguments[0]} took longer than {timeout_s:g} s") from error
        if done.returncode:
            lines = done.stderr.decode(errors="replace").split("\n")
            said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0])
            raise SourceError(f"git {arguments[0]}: {_told(said.strip())}")
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        """Nothing of ours but what it needs, no file's settings, and no way to run anything."""
        url, token = self._options.url, self._options.token
        protocols = ["https", "ssh"]
        protocols += ["http"] if url.startswith("http://") else []
        protocols += ["file"] if self._options.local else []
        config = {
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "gc.autoDetach": "false",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "120",
            "credential.helper": "",
        }
        secrets = {}
        if token is not None:
            parts = urlsplit(url)
            config[f"credential.{parts.scheme}://{parts.netloc}.helper"] = _HELPER
            secrets = {
                "WHIMBREL_GIT_USER": self._options.user,
                "WHIMBREL_GIT_TOKEN": token.get_secret_value(),
            }
        # Over https, git would take a login from the ~/.netrc of whoever runs this.
        is_ssh = not url.startswith(("http://", "https://"))
        passed_on = [name for name in _PASSED_ON if is_ssh or name != "HOME"]
        named = {
            f"GIT_CONFIG_{part}_{number}": text
            for number, pair in enumerate(config.items())
            for part, text in zip(("KEY", "VALUE"), pair, strict=True)
        }
        return {
            **{name: os.environ[name] for name in passed_on if name in os.environ},
            **named,
            **secrets,
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(protocols),
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o PermitLocalCommand=no",
            "GIT_LITERAL_PATHSPECS": "1",
        }


def _is_open(url: str, resolve: Resolve) -> bool:
    """Whether an address is of the internet, as far as can be told."""
    parts = urlsplit(url)
    try:
        addresses = resolve(parts.hostname or "", parts.port or 443)
    except (OSError, ValueError):
        return not getproxies()  # a proxy may know it; without one, git cannot reach it either
    return all(map(is_public, addresses))


def _told(text: str) -> str:
    """A text without what stands before an @ in addresses, on a line that is not long."""
    return re.sub(r"://[^/@\s]*@", "://", text)[:200]
