"""The settings of `bot`, read once from the environment, `[slack]` and `[api]`."""

from __future__ import annotations

import logging
import os
import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from bot.redaction import Redacted, Redactor
from bot.times import PATTERN
from retrieval.errors import SettingsError, did_you_mean
from retrieval.labels import label_of
from retrieval.private import read_secret
from retrieval.settings import CONFIG_FILE, FileSettings, read, table_of

logger = logging.getLogger(__name__)

APPS_PAGE = "https://api.slack.com/apps"
ROTATED = "xoxe."
"""What a token that is rotated begins with."""

Kept = Literal["questions", "overheard", "answers", "ratings", "corrections", "reports", "audit"]
"""What is kept for a time of its own.

`overheard` are the questions that nobody asked of the bot, `reports` what replays have written.
"""

_GRANTED_TO = {
    "channel_audiences": ("a channel", "[CG][A-Z0-9]+"),
    "user_audiences": ("a person", "[UW][A-Z0-9]+"),
    "group_audiences": ("a user group, or its handle", r"S[A-Z0-9]+|@?[^\sA-Z@]+"),
}
"""What the ids of each table of labels are of, and how they look."""


class SlackSettings(FileSettings):
    """Every value can be set as `SLACK_<NAME>` or in `[slack]`; the environment wins."""

    model_config = SettingsConfigDict(
        env_prefix="SLACK_", toml_file=CONFIG_FILE, extra="forbid", frozen=True
    )
    others = ".*"  # Slack's own tools and other bots are set up with names like ours

    bot_token: SecretStr | None = Field(
        default=None,
        description="starts with xoxb-; or `@` and a file of it that its owner alone can read",
    )
    app_token: SecretStr | None = Field(
        default=None, description="starts with xapp-; for Socket Mode"
    )
    signing_secret: SecretStr | None = Field(default=None, description="for HTTP mode")
    client_id: str | None = Field(
        default=None, description="of the app, where several workspaces install it"
    )
    client_secret: SecretStr | None = Field(
        default=None, repr=False, description="the app's own, beside `SLACK_CLIENT_ID`"
    )
    redirect_uri: str | None = Field(
        default=None,
        description="where Slack leads back to after an installation: `https://…/slack/oauth_redirect`",
    )
    allowed_teams: tuple[str, ...] = Field(
        default=(), description="ids of the workspaces that may install it; none: any"
    )
    only_team: str | None = Field(
        default=None, description="the one workspace whose token is taken; unset: any"
    )
    api_url: str = Field(default="https://slack.com/api/", description="base of the Web API")
    workers: int = Field(default=8, ge=1, le=64, description="questions answered at the same time")
    max_waiting: int = Field(
        default=200,
        ge=1,
        description="more waiting questions are turned away, but one of who has none waiting",
    )
    max_waiting_per_person: int | None = Field(
        default=None,
        ge=1,
        description="more waiting questions of one person are turned away; unset: no limit",
    )
    max_waiting_per_channel: int | None = Field(
        default=None,
        ge=1,
        description="more waiting questions of one channel are turned away; unset: no limit",
    )
    connections: int = Field(default=2, ge=1, le=10, description="Socket Mode connections at once")
    prompts: tuple[str, ...] = Field(
        default=(), description="up to four questions to suggest; none: in the person's language"
    )
    ask_emoji: str = Field(default="bird", description="a reaction that asks a person's message")
    max_attachment_mb: int = Field(
        default=5, ge=0, description="larger files on a question are not read; 0: none is"
    )
    health_host: str = Field(default="127.0.0.1", description="where the health port listens")
    health_port: int = Field(
        default=8080, ge=0, le=65_535, description="port of /livez and /readyz; 0: none"
    )
    metrics: bool = Field(
        default=True, description="whether the health port has /metrics, numbers for Prometheus"
    )
    dashboard_header: str | None = Field(
        default=None, description="the header in which a proxy names who looks, by e-mail address"
    )
    dashboard_proxies: tuple[str, ...] = Field(
        default=(), description="addresses or networks of the proxies that are believed"
    )
    dashboard_oidc_issuer: str | None = Field(
        default=None, description="the OpenID provider where people log in to the dashboard"
    )
    dashboard_oidc_client_id: str | None = Field(
        default=None, description="as which client it knows the dashboard"
    )
    dashboard_oidc_client_password: SecretStr | None = Field(
        default=None, description="the secret that it gave that client, if it did"
    )
    dashboard_hosts: tuple[str, ...] = Field(
        default=(),
        description="names by which browsers reach a dashboard that is not for this machine alone",
    )
    admins: tuple[str, ...] = Field(
        default=(), description="ids of people who may use /whimbrel reindex"
    )
    experts: tuple[str, ...] = Field(
        default=(), description="ids of people who approve answers, besides admins"
    )
    learn_at: str | None = Field(
        default=None,
        description="when to learn by itself, in UTC: `03:00` or `sunday 03:00`; unset: never",
    )
    proposal_emoji: str = Field(
        default="jigsaw", description="a reaction that proposes a message as an answer"
    )
    channel_audiences: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="private channel id to the labels it may read"
    )
    channel_audiences_in_private: bool = Field(
        default=False,
        description="the full members of such a channel hold its labels in private, too",
    )
    user_audiences: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="person id to the labels readable in private with the bot"
    )
    group_audiences: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="user group, by id or handle, to the labels its members may read in private",
    )
    member_audiences: tuple[str, ...] = Field(
        default=(), description="labels for full members, and for channels without anybody else"
    )
    guest_audiences: tuple[str, ...] = Field(
        default=(),
        description="labels guests and other organisations may read in private; none: no answers",
    )

    redact: Redacted = Field(
        default="nothing",
        description="taken out before it is stored: `nothing`, `secrets`, or `personal` data, too",
    )
    phone_regions: tuple[str, ...] = Field(
        default=("US", "GB", "CN"),
        description="countries whose numbers are known without the country's code, to redact them",
    )
    question_days: int = Field(
        default=0, ge=0, description="how long a question is kept, with its answer; 0: for ever"
    )
    overheard_days: int = Field(
        default=0, ge=0, description="the same for questions that did not mention the bot"
    )
    answer_days: int = Field(
        default=0, ge=0, description="how long answers are kept, if shorter than their questions"
    )
    rating_days: int = Field(
        default=0, ge=0, description="how long votes are kept, and what else tells of answers"
    )
    correction_days: int = Field(
        default=0,
        ge=0,
        description="how long reasons, undecided, rejected and retired answers are kept",
    )
    report_days: int = Field(
        default=0, ge=0, description="how long the files of /whimbrel replay are kept"
    )
    audit_days: int = Field(
        default=365, ge=0, description="how long the audit log keeps what it tells; 0: for ever"
    )

    @field_validator("learn_at")
    @classmethod
    def _is_time(cls, text: str | None) -> str | None:
        if text and not re.match(PATTERN, text):
            raise ValueError(f"found {text!r}; wanted a time such as 03:00 or sunday 03:00")
        return text or None

    @field_validator("redirect_uri")
    @classmethod
    def _is_reached_safely(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "")
        if address and not (parts.scheme == "https" and parts.hostname):
            raise ValueError(f"found {address!r}; wanted https://HOST/slack/oauth_redirect")
        return address or None

    @field_validator("channel_audiences", "user_audiences", "group_audiences")
    @classmethod
    def _are_grants(
        cls, grants: dict[str, tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, tuple[str, ...]]:
        kind, pattern = _GRANTED_TO[info.field_name or ""]
        for id_ in grants:
            if not re.fullmatch(pattern, id_):
                raise ValueError(f"found {id_!r}; wanted the id of {kind}")
        return {id_: tuple(label_of(label) for label in labels) for id_, labels in grants.items()}

    @field_validator("member_audiences", "guest_audiences")
    @classmethod
    def _are_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(label_of(label) for label in labels)

    @property
    def token(self) -> str:
        """The bot's token as it is at the moment; empty where none is set.

        Raises:
            SettingsError: If it stands in a file that cannot be read, or that others can read.
        """
        return read_secret(secret(self.bot_token), "SLACK_BOT_TOKEN")

    @property
    def redactor(self) -> Redactor:
        """What takes out of texts what is not to be stored."""
        return Redactor(self.redact, regions=self.phone_regions)

    @property
    def kept_days(self) -> dict[Kept, int]:
        """For how many days what is kept; 0 is for ever."""
        return {
            "questions": self.question_days,
            "overheard": self.overheard_days,
            "answers": self.answer_days,
            "ratings": self.rating_days,
            "corrections": self.correction_days,
            "reports": self.report_days,
            "audit": self.audit_days,
        }

    @property
    def names_viewers(self) -> bool:
        """Whether it is known who looks at the dashboard."""
        return bool(self.dashboard_header or self.dashboard_oidc_issuer)

    @property
    def mode(self) -> Literal["socket", "http"]:
        """How Slack reaches us: over a socket that we open, or by HTTP."""
        return "socket" if self.app_token else "http"

    @staticmethod
    def own_part(values: dict[str, Any]) -> dict[str, Any]:
        """The table [slack]; a file without it is fine."""
        return table_of(values, "slack")


class ApiSettings(FileSettings):
    """Every value can be set as `WHIMBREL_API_<NAME>` or in `[api]`; the environment wins."""

    model_config = SettingsConfigDict(
        env_prefix="WHIMBREL_API_", toml_file=CONFIG_FILE, extra="forbid", frozen=True
    )
    others = r"service_(host|port.*)|port(_\d+_.*)?"  # Kubernetes's, of a service whimbrel-api

    serve: bool | None = Field(
        default=None,
        description="`whimbrel serve` serves the API, too; unset: if a key holds when it starts",
    )
    listen_host: str = Field(
        default="127.0.0.1", description="where the API listens; in HTTP mode, where Slack calls"
    )
    listen_port: int = Field(default=8090, ge=0, le=65_535, description="the port there")
    workers: int = Field(default=4, ge=1, le=64, description="calls worked on at the same time")
    max_waiting: int = Field(
        default=50,
        ge=0,
        description="more waiting calls are turned away, but one of a key that has none",
    )
    max_waiting_per_key: int = Field(
        default=25, ge=0, description="more waiting calls of one key are turned away"
    )
    answer_seconds: int = Field(
        default=120, ge=1, description="an answer that takes longer is broken off"
    )
    key: SecretStr | None = Field(default=None, description="the key that `whimbrel mcp` asks with")

    @staticmethod
    def own_part(values: dict[str, Any]) -> dict[str, Any]:
        """The table [api]; a file without it is fine."""
        table = table_of(values, "api")
        if "key" in table:
            raise SettingsError(
                f"{CONFIG_FILE}: api.key: this file is no place for a key; set WHIMBREL_API_KEY"
            )
        return table


def secret(setting: SecretStr | None) -> str:
    """The text of a secret; empty where it is not set."""
    return setting.get_secret_value() if setting else ""


def load_api_settings() -> ApiSettings:
    """Read the settings of the API.

    Raises:
        SettingsError: If a value cannot be used; the message names the setting.
    """
    return read(ApiSettings, prefix="WHIMBREL_API_")


def read_slack_settings() -> SlackSettings:
    """Read the settings, for who needs not log in to Slack with them.

    Raises:
        SettingsError: If a value cannot be used; the message names the setting.
    """
    return read(SlackSettings, prefix="SLACK_")


def load_slack_settings(*, with_door: bool = False) -> SlackSettings:
    """Read the settings and check that the bot can log in with them.

    Args:
        with_door: Check, too, that Slack can deliver to it.

    Raises:
        SettingsError: If a token is missing or cannot be one, or a value cannot be used; the
            message names the setting and where to find it.
    """
    settings = read_slack_settings()
    _warn_of_misspelt_names()
    _check_token(
        settings.token.removeprefix(ROTATED),
        "SLACK_BOT_TOKEN",
        "xoxb-",
        "OAuth & Permissions > Bot User OAuth Token",
    )
    if with_door:
        _check_door(settings)
    return settings


def load_app_settings() -> SlackSettings:
    """Read the settings and check that several workspaces can install the app with them.

    Raises:
        SettingsError: If one is missing or cannot be used; the message names it and where to find
            it.
    """
    settings = read_slack_settings()
    _warn_of_misspelt_names()
    page = "Basic Information > App Credentials"
    _check_token(settings.client_id or "", "SLACK_CLIENT_ID", "", page)
    _check_token(secret(settings.client_secret), "SLACK_CLIENT_SECRET", "", page)
    _check_door(settings)
    return settings


def _warn_of_misspelt_names() -> None:
    given = {name.removeprefix("SLACK_") for name in os.environ if name.startswith("SLACK_")}
    known = {field.upper() for field in SlackSettings.model_fields}
    for name in sorted(given - known):
        if guess := did_you_mean(name, known - given, prefix="SLACK_"):
            logger.warning("SLACK_%s: there is no such setting%s", name, guess)


def _check_door(settings: SlackSettings) -> None:
    if settings.signing_secret is None or settings.app_token is not None:
        _check_token(
            secret(settings.app_token),
            "SLACK_APP_TOKEN",
            "xapp-",
            "Basic Information > App-Level Tokens, with the scope connections:write "
            "(or set SLACK_SIGNING_SECRET for HTTP mode)",
        )


def _check_token(value: str, name: str, prefix: str, page: str) -> None:
    if not value:
        raise SettingsError(f"{name} is not set; copy it from {APPS_PAGE} > your app > {page}")
    if not value.startswith(prefix):
        raise SettingsError(
            f"{name} does not start with {prefix}; copy it again from "
            f"{APPS_PAGE} > your app > {page}"
        )
