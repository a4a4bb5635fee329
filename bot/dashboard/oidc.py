"""The company's OpenID provider: where browsers log in, and whose e-mail address it vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from retrieval.errors import SettingsError

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from joserfc.jwk import KeySetSerialization

ISSUER = "SLACK_DASHBOARD_OIDC_ISSUER"
DISCOVERY = "/.well-known/openid-configuration"
SCOPE = "openid email"
REQUEST_S = 15.0
LEEWAY_S = 60
"""Clocks may differ by so much."""

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""What an ID token may be signed with: by who has the private key, and no other way."""

_VERIFIED = ("email_verified", "xms_edov")
"""Claims that say whether an address is its bearer's: the first of them that there is. The second
is Microsoft's."""


class RefusedError(Exception):
    """A login that comes to nothing; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way: what ties its end to its beginning."""

    redirect: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """An OpenID provider, by the code flow with PKCE, as a client of its own."""

    def __init__(self, metadata: Mapping[str, Any], client_id: str, client_secret: str) -> None:
        self.issuer = str(metadata["issuer"])
        self._metadata = metadata
        self._client_id = client_id
        self._client_secret = client_secret
        self._addresser: AsyncOAuth2Client | None = None

    @classmethod
    async def found(cls, issuer: str, client_id: str, client_secret: str = "") -> Provider:
        """The provider that an issuer describes.

        Raises:
            SettingsError: If it describes none, or cannot be reached; or if authlib is missing.
        """
        try:
            import authlib.integrations.httpx_client  # noqa: F401
        except ImportError as error:
            raise SettingsError(f"{ISSUER} needs authlib: pip install authlib") from error
        try:
            async with httpx2.AsyncClient(timeout=REQUEST_S) as client:
                said = await client.get(_safe(issuer).rstrip("/") + DISCOVERY)
            metadata = said.raise_for_status().json()
            endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            is_own = metadata["issuer"] == issuer and all(_safe(metadata[n]) for n in endpoints)
        except (httpx2.HTTPError, KeyError, TypeError, ValueError) as error:
            raise SettingsError(f"{ISSUER}: {issuer} describes no provider: {error!r}") from error
        if not is_own:  # it would speak for somebody else
            raise SettingsError(f"{ISSUER}: {issuer} calls itself {metadata['issuer']}; set that")
        return cls(metadata, client_id, client_secret)

    def address(self, attempt: Attempt) -> str:
        """Where a browser logs in."""
        if self._addresser is None:
            self._addresser = self._client(attempt)  # with its TLS context; it sends nothing
        url, _ = self._addresser.create_authorization_url(
            self._metadata["authorization_endpoint"],
            redirect_uri=attempt.redirect,
            state=attempt.state,
            code_verifier=attempt.verifier,
            nonce=attempt.nonce,
        )
        return str(url)

    async def email(self, attempt: Attempt, given: Mapping[str, str]) -> str:
        """The e-mail address of who has logged in, by what the browser was given for that.

        Raises:
            RefusedError: If the provider does not vouch for it.
            httpx2.HTTPError: If it cannot be reached.
        """
        from authlib.integrations.base_client import OAuthError
        from joserfc.errors import JoseError

        if given.get("iss", self.issuer) != self.issuer:
            raise RefusedError("it comes from another provider")
        if "error" in given:
            told = (given[name][:200] for name in ("error", "error_description") if name in given)
            raise RefusedError(f"the provider says {': '.join(told)!r}")
        try:
            async with self._client(attempt) as client:
                token = await client.fetch_token(
                    self._metadata["token_endpoint"],
                    code=given["code"],
                    code_verifier=attempt.verifier,
                )
                listed = await client.request(
                    "GET", self._metadata["jwks_uri"], withhold_token=True
                )
                keys = listed.raise_for_status().json()
                claims = self._claims(token, keys, attempt)
                if "email" not in claims:
                    claims = await self._looked_up(client, claims["sub"])
        except httpx2.HTTPError:
            raise
        except (OAuthError, JoseError, KeyError, TypeError, ValueError) as error:
            raise RefusedError(f"{type(error).__name__}: {error}") from error
        said = [claims[name] for name in _VERIFIED if claims.get(name) is not None]
        if not said or said[0] not in (True, "true", "1"):
            raise RefusedError("the provider does not say that the address is verified")
        return str(claims.get("email", ""))

    def _client(self, attempt: Attempt) -> AsyncOAuth2Client:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        methods = self._metadata.get("token_endpoint_auth_methods_supported")
        posts = methods is not None and "client_secret_basic" not in methods
        named = "client_secret_post" if posts else "client_secret_basic"
        return AsyncOAuth2Client(
            self._client_id,
            self._client_secret or None,
            token_endpoint_auth_method=named if self._client_secret else "none",
            scope=SCOPE,
            redirect_uri=attempt.redirect,
            code_challenge_method="S256",
            leeway=0,  # a token is used at once, however short it lives
            timeout=REQUEST_S,
        )

    def _claims(
        self, token: Mapping[str, Any], keys: KeySetSerialization, attempt: Attempt
    ) -> Mapping[str, Any]:
        """What an ID token says, once all of it is as it has to be."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        # Headers may say more than we know, but not what we would have to understand.
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        signed = jwt.decode(token["id_token"], KeySet.import_key_set(keys), registry=registry)
        claims = CodeIDToken(
            signed.claims,
            signed.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._client_id},
            },
            {
                "nonce": attempt.nonce,
                "client_id": self._client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=LEEWAY_S)
        return dict(claims)

    async def _looked_up(self, client: AsyncOAuth2Client, subject: str) -> Mapping[str, Any]:
        """What the provider tells of somebody whose ID token names no address."""
        said = await client.get(_safe(self._metadata["userinfo_endpoint"]))
        claims = said.raise_for_status().json()
        if claims["sub"] != subject:
            raise RefusedError("the provider told of somebody else")
        return dict(claims)


def is_local(host: str | None) -> bool:
    """Whether a name is this machine's, where nothing is read on the way."""
    return host in ("localhost", "127.0.0.1", "::1")


def _safe(url: str) -> str:
    """An address that can be asked without anybody reading or answering in between.

    Raises:
        ValueError: If it is none.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local(parts.hostname)):
        raise ValueError(f"found {url!r}; wanted an https address")
    return url
