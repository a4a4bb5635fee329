from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from retrieval.errors import SettingsError
from retrieval.settings import load_settings
from retrieval.sources.connector import Options, SourceSettings, connect, sources_of


class WikiOptions(Options):
    url: str
    token: SecretStr | None = None


def wiki(**options: object) -> SourceSettings:
    return SourceSettings("wiki", "confluence", Path("own"), options, audience="staff")


def test_a_source_is_a_table_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("whimbrel.toml").write_text(
        '[sources.team-handbook]\nkind = "git"\nevery = "6h"\nurl = "https://git.example/h"\n'
        'audience = "staff"\n'
    )
    source = sources_of(load_settings())["team-handbook"]
    assert source.options == {"url": "https://git.example/h"}
    assert (source.kind, source.audience, source.every_s) == ("git", "staff", 21_600)


@pytest.mark.parametrize(
    "name", ["person", "in", "public", "Upper", "a/b", "a:b", "a_b", "..", "x "]
)
def test_a_name_that_means_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("whimbrel.toml").write_text(f'[sources."{name}"]\nkind = "git"\n')
    with pytest.raises(SettingsError, match="wanted a name"):
        load_settings()


@pytest.mark.parametrize("every", ["0h", "soon", "6", "1.5h", "6 h"])
def test_an_interval_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("whimbrel.toml").write_text(f'[sources.wiki]\nkind = "git"\nevery = "{every}"\n')
    with pytest.raises(SettingsError, match="wanted an interval"):
        load_settings()


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", "s3cret")
    options = wiki(url="https://wiki.example").read(WikiOptions)
    assert options.token is not None
    assert options.token.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(options)


def test_a_secret_comes_from_a_file_that_is_private(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "token").chmod(0o600)
    options = wiki(url="u", token=f"@{tmp_path}/token").read(WikiOptions)
    assert options.token == SecretStr("s3cret")
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        wiki(url="u", token=f"@{tmp_path}/token").read(WikiOptions)


def test_a_secret_that_is_written_into_the_settings_is_refused() -> None:
    with pytest.raises(SettingsError, match="no place for a secret") as caught:
        wiki(url="u", token="s3cret").read(WikiOptions)
    assert "s3cret" not in str(caught.value)


def test_what_a_secret_opens_is_public_only_where_somebody_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WHIMBREL_SOURCE_WIKI_TOKEN", "s3cret")
    source = SourceSettings("wiki", "confluence", Path("own"), {"url": "u"})
    with pytest.raises(SettingsError, match="audience is not set"):
        source.read(WikiOptions)


def test_a_misspelt_option_is_named() -> None:
    with pytest.raises(SettingsError, match=r"\[sources\.wiki\] tokne: .*did you mean"):
        wiki(url="u", tokne="v").read(WikiOptions)


def test_a_kind_that_there_is_not_is_named() -> None:
    with pytest.raises(SettingsError, match="there is no 'gti'"):
        connect(SourceSettings("wiki", "gti", Path("own")))
