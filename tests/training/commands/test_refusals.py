"""What cannot be meant is refused before a model is loaded or anybody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from retrieval.cli import whimbrel
from tests.training.federation import write_credentials

TOKENS = "\n".join(f"token-{n}-of-16-letters" for n in range(3))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a data set and files that members of a federation have."""
    write_credentials(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "held-out.jsonl").touch()
    (tmp_path / "no-data").mkdir()
    (tmp_path / "tokens.txt").write_text(TOKENS)
    (tmp_path / "two.txt").write_text(TOKENS[: TOKENS.rindex("\n")])
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00 noise")
    (tmp_path / "prompt.toml").write_text("version = 3")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(folder: Path, *arguments: str) -> str:
    """The line that says why, of a command that finds neither settings nor models."""
    nothing = {"WHIMBREL_HOME": str(folder / "home"), "WHIMBREL_EMBEDDER": "/no/such/model"}
    result = CliRunner().invoke(whimbrel, arguments, env=nothing)
    assert result.exit_code == 2, result.output
    assert not (folder / "home").exists()
    line: str = result.stderr.strip().splitlines()[-1]
    return line


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("train map no-data", "no data set: it has no held-out.jsonl"),
        ("train map data --seed -1", "--seed"),
        ("train retriever data --seed 4294967296", "--seed"),
        ("train retriever data --max-minutes nan", "--max-minutes"),
        ("train generator data --max-minutes 0", "--max-minutes"),
        ("train generator data --max-minutes inf", "--max-minutes"),
        ("train generator data --dp nan", "--dp"),
        ("train generator data --dp 1 --method dpo", "--method dpo"),
        ("train generator data --dp 1 --search 2", "--search"),
        ("train generator data --dp 1 --augment", "--augment"),
        ("train endpoint data --prompt prompt.toml", "wanted a version of your own"),
        ("train endpoint data --prompt noise", "cannot be read"),
        ("prune data --epochs nan", "--epochs"),
        ("prune data --max-minutes -3", "--max-minutes"),
        ("prune data --layers 0 --channels 0", "nothing goes"),
        ("quantise no-data", "no data set"),
        ("distil --price nan 1", "--price"),
        ("distil --price 1 inf", "--price"),
        ("distil --max-minutes nan", "--max-minutes"),
        ("distil --seed -7", "--seed"),
    ],
)
def test_what_cannot_be_reckoned_with_is_refused_at_once(
    folder: Path, command: str, told: str
) -> None:
    assert told in refusal(folder, *command.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--federated nowhere", "no HOST:PORT"),
        ("--federated host:0", "no HOST:PORT"),
        ("--federated host:65536", "no HOST:PORT"),
        ("--federated host:1 --token-file noise", "16 letters"),
        ("--federated host:1 --authority noise", "holds no certificate"),
    ],
)
def test_a_member_of_a_federation_looks_at_what_it_has_before_it_learns(
    folder: Path, options: str, told: str
) -> None:
    given = ["--token-file", "tokens.txt", "--authority", "ca.pem", *options.split()]
    assert told in refusal(folder, "train", "abstention", "data", *given)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--listen 9092", "no HOST:PORT"),
        ("--token-file two.txt", "holds 2 tokens"),
        ("--certificate noise", "no certificate with its key"),
        ("--key ca.pem", "no certificate with its key"),
        ("--authority noise", "holds no certificate"),
    ],
)
def test_a_coordinator_looks_at_what_it_has_before_it_waits(
    folder: Path, options: str, told: str
) -> None:
    files = "--authority ca.pem --token-file tokens.txt --certificate server.pem --key server.key"
    assert told in refusal(folder, "train", "coordinate", *files.split(), *options.split())
