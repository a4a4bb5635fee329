from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import SettingsError
from retrieval.models.endpoint import Endpoint, endpoint_of, is_private
from retrieval.settings import Settings, load_settings

URL = "http://localhost:8000/v1"


def of(**settings: Any) -> Endpoint:
    return endpoint_of("generator", Settings(**{"generator": URL, **settings}))


def test_the_model_is_named_after_the_address_or_by_a_setting() -> None:
    named = of(generator=f"{URL}/#Qwen/Qwen3-4B")
    assert (named.url, named.model) == (URL, "Qwen/Qwen3-4B")
    assert of(generator_model="tiny").model == "tiny"
    assert of().model == ""


def test_paths_are_added_in_front_of_a_query() -> None:
    endpoint = of(generator="https://host/openai/v1?version=3#gpt")
    assert endpoint.at("/models") == "https://host/openai/v1/models?version=3"
    assert endpoint.root == "https://host/openai"


@pytest.mark.parametrize("url", ["http://", "http://me:secret@host/v1", "http://[bad/v1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="WHIMBREL_GENERATOR"):
        of(generator=url)


def test_a_key_is_given_itself_or_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-1\n")
    file.chmod(0o600)
    assert of(generator_key=f"@{file}").key == "sk-1"
    assert of(generator_key=" sk-2 ").key == "sk-2"
    assert of().key == ""
    assert "sk-1" not in repr(of(generator_key=f"@{file}"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text("sk-1")
    file.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        of(generator_key=f"@{file}")


@pytest.mark.parametrize("text", ["", "two words", "line\nline", "schlüssel"])
def test_what_cannot_be_a_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(SettingsError, match="WHIMBREL_GENERATOR_KEY"):
        of(generator_key=f"@{file}")
    with pytest.raises(SettingsError, match="cannot be read"):
        of(generator_key=f"@{tmp_path / 'none'}")


def test_a_key_in_the_file_of_settings_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("whimbrel.toml").write_text('generator_key = "sk-1"\n')
    with pytest.raises(SettingsError, match="no place for a key") as error:
        load_settings()
    assert "sk-1" not in str(error.value)
    Path("whimbrel.toml").write_text('generator_key = "@key"\n')
    assert load_settings().generator_key


def test_endpoints_can_be_forbidden() -> None:
    with pytest.raises(SettingsError, match="WHIMBREL_ENDPOINTS=none"):
        of(endpoints="none")
    assert of(endpoints="private").is_private_only


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "fd00::5", "::ffff:10.0.0.1"]
)
def test_addresses_of_the_own_network(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "0.0.0.0", "2001::1", "::ffff:8.8.8.8", "host", ""],  # noqa: S104
)
def test_every_other_address_is_outside(address: str) -> None:
    assert not is_private(address)
