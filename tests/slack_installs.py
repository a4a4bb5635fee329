"""What the Slack on localhost has for installing an app: codes, tokens and their end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.slack_streams import Json, StreamError

CLIENT_ID, CLIENT_SECRET = "1.2", "client-shh"


@dataclass(frozen=True)
class Consent:
    """What somebody agreed to on Slack's page, and Slack gives a code for."""

    team: str | None
    enterprise: str | None = None
    is_for_all: bool = False


class InstallingMethods:
    """Methods of the Web API; mixed into the server. Tokens are known by their workspace."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.expired: set[str] = set()
        self.revoked: list[str] = []
        self.expires_in: int | None = None
        self.may_refresh = asyncio.Event()
        self.may_refresh.set()
        self.consents: dict[str, Consent] = {}
        self._refreshing: dict[str, str] = {}
        self._numbers = count(1)

    def consent(self, team: str | None = "T1", **more: Any) -> str:
        """The code that the browser brings back."""
        code = f"code-{next(self._numbers)}"
        self.consents[code] = Consent(team, **more)
        return code

    def _oauth_v2_access(self, args: Json) -> Json:
        if args.get("client") != f"{CLIENT_ID}:{CLIENT_SECRET}":
            raise StreamError("bad_client_secret")
        if args.get("grant_type") == "refresh_token":
            team = self._refreshing.pop(args["refresh_token"], None)
            if team is None:
                raise StreamError("invalid_refresh_token")
            return {"token_type": "bot", "team": {"id": team}, **self._issued(team)}
        agreed = self.consents.pop(args["code"], None)
        if agreed is None:
            raise StreamError("invalid_code")
        team = agreed.team or agreed.enterprise or ""
        return {
            "app_id": "A1",
            "team": {"id": agreed.team, "name": f"Team {agreed.team}"} if agreed.team else None,
            "enterprise": {"id": agreed.enterprise, "name": "All"} if agreed.enterprise else None,
            "is_enterprise_install": agreed.is_for_all,
            "authed_user": {"id": "U1"},
            "bot_user_id": "UBOT",
            "scope": "app_mentions:read,chat:write",
            "token_type": "bot",
            **self._issued(team),
        }

    def _auth_revoke(self, args: Json) -> Json:
        self.revoked.append(args["token"])
        del self.tokens[args["token"]]
        return {"revoked": True}

    def _issued(self, team: str) -> Json:
        n = next(self._numbers)
        if self.expires_in is None:
            self.tokens[f"xoxb-{team}-{n}-secret"] = team
            return {"access_token": f"xoxb-{team}-{n}-secret"}
        token, refresh = f"xoxe.xoxb-{team}-{n}-secret", f"xoxe-{team}-{n}-secret"
        self.tokens[token], self._refreshing[refresh] = team, team
        return {"access_token": token, "refresh_token": refresh, "expires_in": self.expires_in}
