from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.training.federation import (
    TRUE,
    Leaver,
    Nonsense,
    Poisoner,
    QuickLogistic,
    coordination,
    learner,
    membership,
    rated,
    write_credentials,
)
from training.classifiers.judge_fit import logistic
from training.classifiers.shared_logistic import SharedLogistic
from training.federated import Arrays, FederationError, coordinate, take_part

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("flwr") is None, reason="the extra `federated` is not installed"),
]

ROOT = Path(__file__).parents[2]
KINDS = (QuickLogistic, QuickLogistic, QuickLogistic)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("credentials")
    write_credentials(folder)
    return folder


@pytest.fixture
def address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def together(
    credentials: Path,
    address: str,
    kinds: Sequence[type[SharedLogistic]],
    *,
    is_secret: bool = False,
) -> tuple[list[Future[Arrays]], list[str]]:
    """What each of some members learns, and what the coordinator tells."""
    told: list[str] = []
    with ThreadPoolExecutor(len(kinds) + 1) as pool:
        own = coordination(credentials, address, is_secret=is_secret)
        coordinated = pool.submit(coordinate, own, on_progress=told.append)
        members = [
            pool.submit(
                take_part,
                learner(number, kind),
                membership(credentials, address, number, is_secret=is_secret),
            )
            for number, kind in enumerate(kinds)
        ]
    coordinated.result()
    return members, told


def accuracy(weights: dict[str, float], bias: float) -> float:
    """On rows of a workspace that nobody learned from."""
    seen, labels, _ = rated(9, 2000)
    inputs = np.array([list(values.values()) for values in seen])
    said = inputs @ np.array([weights[name] for name in "abc"]) + bias > 0
    return float((said == labels).mean())


def pooled() -> float:
    """The same from all members' rows in one place."""
    parts = [rated(number) for number in range(3)]
    seen = [values for part in parts for values in part[0]]
    return accuracy(
        *logistic(seen, np.concatenate([part[1] for part in parts]), np.ones(len(seen)))
    )


def test_three_programs_learn_together_what_all_their_ratings_teach(
    credentials: Path, address: str
) -> None:
    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(  # noqa: S603  our own
            command, stdout=subprocess.PIPE, text=True, env=environment
        )

    files = [
        argument
        for option, name in (
            ("--certificate", "server.pem"), ("--key", "server.key"), ("--authority", "ca.pem"),
            ("--token-file", "tokens"),
        )
        for argument in (option, str(credentials / name))
    ]  # fmt: skip
    coordinator = start("retrieval.cli", "train", "coordinate", "--listen", address, *files)
    members = [
        start("tests.training.federation", str(credentials), address, str(number))
        for number in range(3)
    ]
    learned = [json.loads(member.communicate(timeout=120)[0]) for member in members]
    assert "each member's gate decides" in coordinator.communicate(timeout=60)[0]
    assert learned[0] == learned[1] == learned[2]
    assert accuracy(*learned[0]) >= pooled() - 0.01


@pytest.mark.parametrize("kind", [Poisoner, Nonsense, Leaver])
def test_one_bad_member_of_three_spoils_nothing(
    credentials: Path, address: str, kind: type[SharedLogistic]
) -> None:
    (first, second, _), _ = together(credentials, address, (*KINDS[:2], kind))
    mine = learner(0)
    mine.move(2, mine.move(1, []))
    weights = first.result()[0][:-1]
    assert np.array_equal(first.result()[0], second.result()[0])
    assert np.corrcoef(weights, TRUE)[0, 1] > 0.9
    assert accuracy(dict(zip("abc", weights.tolist(), strict=True)), 0.0) > pooled() - 0.05


def test_in_secret_they_learn_the_same_but_one_spoils_it(credentials: Path, address: str) -> None:
    members, _ = together(credentials, address, KINDS, is_secret=True)
    weights = members[0].result()[0]
    assert np.corrcoef(weights[:-1], TRUE)[0, 1] > 0.95
    members, _ = together(credentials, address, (*KINDS[:2], Poisoner), is_secret=True)
    assert np.corrcoef(members[0].result()[0][:-1], TRUE)[0, 1] < 0.9


def test_who_does_not_belong_is_sent_away_and_the_others_go_on(
    credentials: Path, address: str, tmp_path: Path
) -> None:
    stranger = replace(membership(credentials, address, 0), token=tmp_path / "token")
    masked = membership(credentials, address, 0, is_secret=True)
    with ThreadPoolExecutor(1) as pool:
        told: list[str] = []
        own = coordination(credentials, address)
        coordinated = pool.submit(coordinate, own, on_progress=told.append)
        write_credentials(tmp_path)
        (tmp_path / "token").write_text("another-token-of-16-letters")
        distrusting = replace(stranger, authority=tmp_path / "ca.pem", patience_s=1)
        with pytest.raises(FederationError, match="is not reached, or its certificate"):
            take_part(learner(0), distrusting)
        for unwanted in (stranger, masked):
            with pytest.raises(FederationError, match="sent this workspace away"):
                take_part(learner(0), unwanted)
        with ThreadPoolExecutor(3) as others:
            members = [
                others.submit(take_part, learner(number), membership(credentials, address, number))
                for number in range(3)
            ]
        coordinated.result()
    assert all(len(member.result()) == 1 for member in members)
    assert [line for line in told if "away" in line] == [
        "sent one away: no token, or one that is here already",
        "sent one away: --secret is given here or there alone",
    ]


def test_nobody_counts_twice(credentials: Path, address: str) -> None:
    def take_part_with(token: int) -> str:
        try:
            take_part(learner(0), membership(credentials, address, token))
        except FederationError as error:
            return str(error)
        return "learned"

    with ThreadPoolExecutor(5) as pool:
        coordinated = pool.submit(coordinate, coordination(credentials, address))
        twice = [pool.submit(take_part_with, 0) for _ in range(2)]
        refused = next(as_completed(twice)).result()
        others = [pool.submit(take_part_with, token) for token in (1, 2)]
        learned = [member.result() for member in (*twice, *others)]
    coordinated.result()
    assert "sent this workspace away" in refused
    assert learned.count("learned") == 3


def test_two_alone_do_not_learn_together(credentials: Path, address: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("one-of-16-letters-or-more\nanother-of-16-letters-or-more")
    with pytest.raises(FederationError, match="holds 2 tokens, one a line; 3 members are needed"):
        coordinate(replace(coordination(credentials, address), tokens=tmp_path / "tokens"))


def test_a_short_token_is_refused(credentials: Path, address: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short")
    with pytest.raises(FederationError, match="16 letters"):
        coordinate(replace(coordination(credentials, address), tokens=tmp_path / "token"))


def test_nothing_is_reported_to_those_who_made_the_library(credentials: Path, address: str) -> None:
    together(credentials, address, KINDS)
    from flwr.supercore import telemetry

    assert telemetry.FLWR_TELEMETRY_ENABLED == "0"
