"""What Confluence and Jira have in common: editions, and how to prove who asks."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from retrieval.sources.client import HttpClient
from retrieval.sources.connector import Options


class AtlassianOptions(Options):
    """Where a service is, and whose eyes read it."""

    url: str = Field(description="its address, such as https://team.atlassian.net/wiki")
    token: SecretStr = Field(description="an API token, or a server's personal access token")
    user: str | None = Field(
        None, description="whose token it is, in the cloud by e-mail; unset: a bearer token"
    )
    edition: Literal["cloud", "server"] | None = Field(
        None, description="unset: cloud for addresses at atlassian.net and atlassian.com"
    )
    everybody: tuple[str, ...] = Field(
        (), description="names of groups that everybody at the source is in"
    )

    @property
    def is_cloud(self) -> bool:
        """Whether it is the edition in the cloud."""
        host = urlsplit(self.url).hostname or ""
        is_theirs = host.endswith((".atlassian.net", "api.atlassian.com"))
        return is_theirs if self.edition is None else self.edition == "cloud"

    def client(self) -> HttpClient:
        """What asks it."""
        token = self.token.get_secret_value()
        proof = f"Bearer {token}"
        if self.user:
            proof = f"Basic {b64encode(f'{self.user}:{token}'.encode()).decode()}"
        return HttpClient(f"{self.url.rstrip('/')}/", credentials=lambda: {"Authorization": proof})
