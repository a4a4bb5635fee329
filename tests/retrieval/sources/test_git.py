from __future__ import annotations

import os
import subprocess
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.errors import CursorExpiredError, SettingsError, SourceError
from retrieval.sources.connector import Page, Remote, SourceSettings
from retrieval.sources.git import Git, connect
from tests.retrieval.sources.test_syncing import Desk

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": "a@b.c"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    "GIT_COMMITTER_DATE": "2026-11-01T12:00:00Z",
}


class Repository:
    """A repository whose main branch a test writes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)  # noqa: S603
        return done.stdout.decode().strip()

    def commit(self, **texts: str | None) -> str:
        for name, text in texts.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "origin")


def opened(repository: Repository, tmp_path: Path, **options: object) -> Git:
    given = {"url": str(repository.folder), "local": True, **options}
    return connect(SourceSettings("code", "git", tmp_path / "own", given, audience="staff"))


def listed(git: Git, cursor: str | None = None) -> tuple[dict[str, Remote], list[str], Page]:
    pages = list(git.pages(cursor))
    documents = {document.key: document for page in pages for document in page.documents}
    return documents, [key for page in pages for key in page.gone], pages[-1]


def test_all_files_are_listed_at_first(repository: Repository, tmp_path: Path) -> None:
    head = repository.commit(README_md="# Read me", docs__leave_md="27 days", picture_svg="x")
    link = "https://git.example/team/code/blob/main/{path}"
    with closing(opened(repository, tmp_path, link=link)) as git:
        documents, gone, last = listed(git)
        assert set(documents) == {"README.md", "docs/leave.md"}
        leave = documents["docs/leave.md"]
        assert git.body(leave) == b"27 days"
    assert leave.url == "https://git.example/team/code/blob/main/docs/leave.md"
    assert leave.modified.startswith("2026-11-01T12:00:00")
    assert (gone, last.cursor) == ([], head)


def test_only_what_changed_since_a_commit_is_listed(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="one", b_md="two", c_md="three")
    with closing(opened(repository, tmp_path)) as git:
        cursor = listed(git)[2].cursor
        repository.commit(a_md="one more", b_md=None, d_md="four")
        documents, gone, last = listed(git, cursor)
        assert set(documents) == {"a.md", "d.md"}
        assert gone == ["b.md"]
        assert git.body(documents["a.md"]) == b"one more"
        assert listed(git, last.cursor)[:2] == ({}, [])


def test_a_file_that_moved_is_gone_and_new(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="one")
    with closing(opened(repository, tmp_path)) as git:
        cursor = listed(git)[2].cursor
        repository.git("mv", "a.md", "b.md")
        repository.git("commit", "--quiet", "--message=move")
        documents, gone, _ = listed(git, cursor)
    assert (set(documents), gone) == ({"b.md"}, ["a.md"])


def test_a_name_that_is_no_utf_8_is_read(repository: Repository, tmp_path: Path) -> None:
    names = (b"caf\xe9.md", b"caf\xe8.md")
    for name in names:
        (repository.folder / os.fsdecode(name)).write_text("text")
    repository.commit()
    desk = Desk(tmp_path / "home")
    link = "https://git.example/{path}"
    assert desk.pull(opened(repository, tmp_path, link=link)).error is None
    desk.sync(opened(repository, tmp_path, link=link))
    urls = {id_: source.url for id_, source in desk.sources().items()}
    assert set(urls.values()) == {"https://git.example/caf%E8.md", "https://git.example/caf%E9.md"}
    assert "shelf/caf?.md" in urls
    (repository.folder / os.fsdecode(names[0])).unlink()
    repository.commit()
    assert desk.pull(opened(repository, tmp_path, link=link)).gone == 1


def test_history_that_was_rewritten_is_followed(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="one", b_md="two")
    with closing(opened(repository, tmp_path)) as git:
        cursor = listed(git)[2].cursor
        repository.git("checkout", "--quiet", "--orphan", "other")
        repository.commit(a_md="another", b_md=None)
        repository.git("branch", "--force", "main")
        repository.git("checkout", "--quiet", "main")
        documents, gone, _ = listed(git, cursor)
        assert (set(documents), gone) == ({"a.md"}, ["b.md"])
        with pytest.raises(CursorExpiredError):
            listed(git, "0" * 40)


def test_links_submodules_and_hidden_files_are_not_read(
    repository: Repository, tmp_path: Path
) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit(secret_md="inner")
    (repository.folder / "link.md").symlink_to("/etc/passwd")
    repository.git("submodule", "--quiet", "add", str(inner.folder), "inner")
    repository.commit(a_md="one", _github__x_md="hidden")
    with closing(opened(repository, tmp_path)) as git:
        assert set(listed(git)[0]) == {"a.md"}


def test_a_file_that_becomes_a_link_is_gone(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="one")
    with closing(opened(repository, tmp_path)) as git:
        cursor = listed(git)[2].cursor
        (repository.folder / "a.md").unlink()
        (repository.folder / "a.md").symlink_to("/etc/passwd")
        repository.commit()
        assert listed(git, cursor)[:2] == ({}, ["a.md"])


def test_only_a_folder_and_a_branch_are_read(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="one", docs__b_md="two", docsother__c_md="three")
    repository.git("checkout", "--quiet", "-b", "next")
    repository.commit(docs__d_md="four")
    with closing(opened(repository, tmp_path, path="docs/", branch="next")) as git:
        documents, _, last = listed(git)
        assert set(documents) == {"docs/b.md", "docs/d.md"}
        repository.commit(a_md="changed", docs__b_md="changed")
        assert set(listed(git, last.cursor)[0]) == {"docs/b.md"}


def test_no_hook_runs(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="one")
    with closing(opened(repository, tmp_path)) as git:
        listed(git)
        hooks = tmp_path / "own" / "repository.git" / "hooks"
        hooks.mkdir(exist_ok=True)
        hook = hooks / "reference-transaction"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
        repository.commit(a_md="two")
        listed(git)
    assert not (tmp_path / "ran").exists()


def test_a_pointer_to_large_storage_is_no_text(repository: Repository, tmp_path: Path) -> None:
    repository.commit(a_md="version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with (
        closing(opened(repository, tmp_path)) as git,
        pytest.raises(SourceError, match="Git LFS"),
    ):
        git.body(listed(git)[0]["a.md"])


def test_what_is_too_large_is_not_read_and_the_next_file_is(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit(a_md="x" * 3_000_000, b_md="two")
    source = SourceSettings(
        "code", "git", tmp_path / "own", {"url": str(repository.folder), "local": True}, "staff"
    )
    with closing(connect(replace(source, max_bytes=1 << 20))) as git:
        documents = listed(git)[0]
        with pytest.raises(SourceError, match="larger than 1 MB"):
            git.body(documents["a.md"])
        assert git._reader is None
        assert git.body(documents["b.md"]) == b"two"


def test_a_repository_that_is_not_there_is_told(repository: Repository, tmp_path: Path) -> None:
    with (
        closing(opened(repository, tmp_path, url=str(tmp_path / "none"))) as git,
        pytest.raises(SourceError, match="git fetch: fatal"),
    ):
        listed(git)


@pytest.mark.parametrize(
    "url",
    [
        "/home/somebody/repository",
        "file:///home/somebody/repository",
        "ext::sh -c touch% /tmp/x",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=touch@host:x",
        "git://git.example/r",
        "fd::17",
        "https://user:secret@git.example/r",
        "https://secret@git.example/r",
        "ssh://git:secret@git.example/r",
    ],
)
def test_an_address_that_may_lead_elsewhere_is_refused(tmp_path: Path, url: str) -> None:
    source = SourceSettings("code", "git", tmp_path, {"url": url}, audience="staff")
    with pytest.raises(SettingsError) as caught:
        connect(source)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "+a:b", ""])
def test_what_is_no_branch_is_refused(tmp_path: Path, branch: str) -> None:
    options = {"url": "https://git.example/r", "branch": branch}
    with pytest.raises(SettingsError):
        connect(SourceSettings("code", "git", tmp_path, options))


def test_what_a_key_opens_needs_an_audience(tmp_path: Path) -> None:
    for url in ("git@git.example:team/r", "ssh://git@git.example/team/r"):
        with pytest.raises(SettingsError, match="audience is not set"):
            connect(SourceSettings("code", "git", tmp_path, {"url": url}))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("addresses", "is_open"),
    [
        (["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"], True),
        (["10.0.0.1"], False),
        (["93.184.215.14", "127.0.0.1"], False),
        (["::ffff:192.168.1.1"], False),
    ],
)
def test_what_not_everybody_can_reach_needs_an_audience(
    tmp_path: Path, scheme: str, addresses: list[str], is_open: bool
) -> None:
    def opened(audience: str | None = None) -> None:
        options = {"url": f"{scheme}://git.example/team/r"}
        source = SourceSettings("code", "git", tmp_path, options, audience=audience)
        connect(source, resolve=lambda *_: addresses).close()

    opened("staff")
    with nullcontext() if is_open else pytest.raises(SettingsError, match="audience is not set"):
        opened()


def test_a_repository_on_this_machine_needs_an_audience(tmp_path: Path) -> None:
    options = {"url": str(tmp_path), "local": True}
    with pytest.raises(SettingsError, match="audience is not set"):
        connect(SourceSettings("code", "git", tmp_path, options))


def test_a_host_that_only_a_proxy_may_know_needs_an_audience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("not known")

    source = SourceSettings("code", "git", tmp_path, {"url": "https://git.example/team/r"})
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    with pytest.raises(SettingsError, match="audience is not set"):
        connect(source, resolve=unknown)
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    connect(source, resolve=unknown).close()


def test_a_token_goes_over_https_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_SOURCE_CODE_TOKEN", "secret")
    options = {"url": "http://git.example/r"}
    with pytest.raises(SettingsError, match="only https"):
        connect(SourceSettings("code", "git", tmp_path, options, audience="staff"))


def test_types_that_are_read_as_plain_text_are_listed(
    repository: Repository, tmp_path: Path
) -> None:
    repository.commit(a_md="one", b_py="two")
    given = {"url": str(repository.folder), "local": True}
    source = SourceSettings(
        "code", "git", tmp_path / "own", given, audience="staff", text_types=(".py",)
    )
    with closing(connect(source)) as git:
        documents, _, page = listed(git)
        assert documents.keys() == {"a.md", "b.py"}
        repository.commit(b_py="three", c_js="four")
        assert listed(git, page.cursor)[0].keys() == {"b.py"}
