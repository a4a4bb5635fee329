"""A small OpenID provider on localhost: the code flow with PKCE, and tokens that are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, CLIENT_SECRET = "whimbrel", "a secret of the client"


@dataclass
class OpenIdServer:
    """Logs in everybody at once, as who has `email`; tests say what it gets wrong.

    Of the token, `changes` replace claims, and None takes one out.
    """

    email: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    told_at_userinfo: dict[str, Any] = field(default_factory=dict)
    is_wrong: str = ""
    issuer: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
        self.forger = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
        self._codes: dict[str, dict[str, str]] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([
            web.get("/.well-known/openid-configuration", self._describe),
            web.get("/keys", self._keys),
            web.get("/authorize", self._authorize),
            web.post("/token", self._token),
            web.get("/userinfo", self._userinfo),
        ])  # fmt: skip
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _describe(self, _: web.Request) -> web.Response:
        return web.json_response({
            "issuer": "https://other.example" if self.is_wrong == "name" else self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        })  # fmt: skip

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked, code = dict(request.query), secrets.token_urlsafe(16)
        self.requests.append(asked)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{back}")

    async def _token(self, request: web.Request) -> web.Response:
        if self.is_wrong == "down":
            raise web.HTTPBadGateway
        form = dict(await request.post())
        asked = self._codes.pop(str(form.get("code")), None)
        challenge = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        basic = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        if (
            asked is None
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != _text(challenge)
            or form.get("redirect_uri") != asked["redirect_uri"]
            or request.headers.get("Authorization") != f"Basic {basic}"
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
        return web.json_response(token | {"id_token": self._signed(asked)})

    async def _userinfo(self, _: web.Request) -> web.Response:
        return web.json_response(self.told_at_userinfo)

    def _signed(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "1", "aud": asked["client_id"], "iat": now,
            "exp": now + 300, "nonce": asked["nonce"], "email": self.email,
            "email_verified": True,
        } | self.changes  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.is_wrong == "no signature":
            return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."
        if self.is_wrong == "signed with the public key":
            told = f"{_encoded({'alg': 'HS256', 'kid': 'k1'})}.{_encoded(claims)}"
            secret = self.key.as_pem(private=False)
            return f"{told}.{_text(hmac.digest(secret, told.encode(), 'sha256'))}"
        key = self.forger if self.is_wrong == "forged" else self.key
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)


def _encoded(part: dict[str, Any]) -> str:
    return _text(json.dumps(part).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
