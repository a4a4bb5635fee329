"""An endpoint: where a model is that serves over the network, its key, and who may be reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from retrieval.errors import SettingsError
from retrieval.models.loading import Role
from retrieval.private import read_secret
from retrieval.settings import Settings

_PRIVATE = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a request needs to know.

    `model` is empty where the setting names none; `setting` is what an error tells to change.
    """

    url: str
    model: str = ""
    setting: str = "WHIMBREL_GENERATOR"
    key: str = field(repr=False, default="")
    is_private_only: bool = False
    silence_s: float = 60.0
    requests: int = 8

    @property
    def host(self) -> str:
        """Where requests go, for people."""
        return urlsplit(self.url).netloc

    @property
    def role(self) -> str:
        """What its model is for."""
        return self.setting.removeprefix("WHIMBREL_").lower()

    def at(self, path: str) -> str:
        """The address of something below this one."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}{path}"))

    @property
    def root(self) -> str:
        """The server's address without `/v1`, where servers have what OpenAI's do not."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/").removesuffix("/v1"), query=""))


def is_endpoint(name: str | None) -> bool:
    """Whether a model's name in the settings is an address."""
    return bool(name) and str(name).lower().startswith(("http://", "https://"))


def endpoint_of(role: Role, settings: Settings) -> Endpoint:
    """The endpoint that the settings name for a role.

    Raises:
        SettingsError: If the address or the key cannot be used, or endpoints are forbidden.
    """
    name, setting = str(getattr(settings, role)), f"WHIMBREL_{role.upper()}"
    try:
        parts = urlsplit(name)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{setting}: {name} is no address: {error}") from error
    if not host or parts.username is not None or parts.password is not None:
        raise SettingsError(
            f"{setting} is no address of the form http://HOST:PORT/v1#MODEL; a key belongs in "
            f"{setting}_KEY"
        )
    if settings.endpoints == "none":
        raise SettingsError(
            f"{setting} is {name}, but WHIMBREL_ENDPOINTS=none forbids endpoints; set one of them"
        )
    named = settings.generator_model if role == "generator" else None
    return Endpoint(
        url=urlunsplit(parts._replace(path=parts.path.rstrip("/"), fragment="")),
        model=parts.fragment or named or "",
        setting=setting,
        key=read_key(getattr(settings, f"{role}_key"), f"{setting}_KEY"),
        is_private_only=settings.endpoints == "private",
        silence_s=settings.endpoint_seconds,
        requests=settings.endpoint_requests,
    )


def read_key(given: SecretStr | None, setting: str) -> str:
    """The key itself, or what stands in the file that is named after `@`.

    Raises:
        SettingsError: If the file cannot be read, can be read by others than its owner, or holds
            what cannot be a key.
    """
    key = read_secret(given.get_secret_value() if given else "", setting)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(f"{setting} holds more than a key: it must be one line without spaces")
    return key


def is_private(address: str) -> bool:
    """Whether an IP address is this machine's or its network's; false for what is no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in _PRIVATE)
