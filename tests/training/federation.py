"""Workspaces that learn together on this machine: certificates, ratings, and members as programs.

python -m tests.training.federation FOLDER ADDRESS NUMBER
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from training.classifiers.shared_logistic import SharedLogistic
from training.federated import Arrays, Coordination, Membership, take_part

TRUE = np.array([1.5, -2.0, 0.5])


def write_credentials(folder: Path) -> None:
    """An authority, a certificate for this machine that it has signed, and three tokens."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    for name, subject, own_key in (("ca", authority, authority_key), ("server", host, key)):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(own_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .add_extension(names, critical=False)
        )
        certificate = builder.sign(authority_key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    tokens = [f"token-of-more-than-16-letters-{number}" for number in range(3)]
    (folder / "tokens").write_text("\n".join(tokens))
    for number, token in enumerate(tokens):
        (folder / f"token{number}").write_text(f"{token}\n")


def coordination(folder: Path, address: str, *, is_secret: bool = False) -> Coordination:
    """With the credentials in a folder."""
    return Coordination(
        address,
        folder / "server.pem",
        folder / "server.key",
        folder / "ca.pem",
        folder / "tokens",
        is_secret=is_secret,
    )


def membership(folder: Path, address: str, number: int, *, is_secret: bool = False) -> Membership:
    """With the credentials in a folder, and the token of this number."""
    return Membership(address, folder / "ca.pem", folder / f"token{number}", is_secret)


def rated(number: int, rows: int = 300) -> tuple[list[dict[str, float]], np.ndarray, np.ndarray]:
    """One workspace's rows; each asks a little otherwise than the others."""
    random = np.random.default_rng(number)
    inputs = random.normal(size=(rows, 3)) + (number - 1) / 4
    labels = random.random(rows) < 1 / (1 + np.exp(-inputs @ TRUE))
    return [dict(zip("abc", row, strict=True)) for row in inputs], labels, np.ones(rows)


class QuickLogistic(SharedLogistic):
    """In as few rounds as tests have time for."""

    rounds = 6


class Poisoner(QuickLogistic):
    """A member that wants the opposite, a hundred times as much."""

    def move(self, number: int, arrays: Arrays) -> Arrays:
        """The others' way back."""
        return [-100 * array for array in super().move(number, arrays)]


class Nonsense(QuickLogistic):
    """A member whose arrays are no numbers, or of another shape."""

    def move(self, number: int, arrays: Arrays) -> Arrays:
        """One, then the other."""
        moved = super().move(number, arrays)
        return [array * np.nan for array in moved] if number % 2 else [*moved, *moved]


class Leaver(QuickLogistic):
    """A member that is gone after three rounds."""

    def move(self, number: int, arrays: Arrays) -> Arrays:
        """Three times what is asked for."""
        if number > 3:
            raise ConnectionError("gone")
        return super().move(number, arrays)


def learner(number: int, kind: type[SharedLogistic] = QuickLogistic) -> SharedLogistic:
    """A member's part."""
    return kind(*rated(number), about="a test")


def main(arguments: Sequence[str]) -> None:
    """Take part as a member, and print what was learned."""
    folder, address, number = arguments
    own = learner(int(number))
    found = take_part(own, membership(Path(folder), address, int(number)))
    print(json.dumps(own.weights(found)))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
