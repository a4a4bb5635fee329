"""The settings of `retrieval`, read once from the environment and `whimbrel.toml`."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError
from pydantic_settings.sources import ConfigFileSourceType

from retrieval.errors import SettingsError, did_you_mean
from retrieval.labels import label_of
from retrieval.linking import HOST, LinkRules

logger = logging.getLogger(__name__)

CONFIG_FILE = Path("whimbrel.toml")

S = TypeVar("S", bound=BaseSettings)

Pick = Callable[[dict[str, Any]], dict[str, Any]]


class FileSettings(BaseSettings):
    """Settings from the environment, which wins, and a part of `whimbrel.toml`."""

    others: ClassVar[str] = ""
    """A pattern of what may follow the prefix in the environment and is no setting of this kind."""

    @staticmethod
    def own_part(values: dict[str, Any]) -> dict[str, Any]:
        """The settings of this kind among all that `whimbrel.toml` holds."""
        raise NotImplementedError

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file; nothing else."""
        return init_settings, _Environment(cls), _OwnPart(settings_cls, cls.own_part)


class _Environment(EnvSettingsSource):
    """Unlike pydantic's, also gives what is no setting, so that it is refused as in the file."""

    def __init__(self, kind: type[FileSettings]) -> None:
        self._others = kind.others
        super().__init__(kind)

    def __call__(self) -> dict[str, Any]:
        prefix = self.env_prefix.lower()
        names = (name.removeprefix(prefix) for name in self.env_vars if name.startswith(prefix))
        ours = (name for name in names if not re.fullmatch(self._others, name))
        return {name: self.env_vars[prefix + name] for name in ours} | super().__call__()


class _OwnPart(TomlConfigSettingsSource):
    """Unlike pydantic's `toml_table_header`, takes the part that a function picks."""

    def __init__(self, kind: type[BaseSettings], pick: Pick) -> None:
        self._pick = pick
        super().__init__(kind)

    def _read_files(
        self, files: ConfigFileSourceType | None, deep_merge: bool = False
    ) -> dict[str, Any]:
        return self._pick(super()._read_files(files, deep_merge))


_EVERY = re.compile(r"(\d+)([mhd])")
_SECONDS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}


class SourceTable(BaseModel):
    """What every `[sources.NAME]` may say; the rest is for its kind to read."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="what is read there, such as `git` or `web`")
    every: str | None = Field(None, description="how often the bot syncs it: 30m, 6h, 1d")
    audience: str | None = Field(
        None, description="the label of what everybody at the source may read; unset: public"
    )

    @field_validator("every")
    @classmethod
    def _is_interval(cls, text: str | None) -> str | None:
        if text is not None and not (_EVERY.fullmatch(text) and int(text[:-1])):
            raise ValueError(f"found {text!r}; wanted an interval such as 30m, 6h or 1d")
        return text

    @field_validator("audience")
    @classmethod
    def _is_label(cls, text: str | None) -> str | None:
        return None if text is None else label_of(text)

    @property
    def every_s(self) -> float | None:
        """How often to sync it, in seconds."""
        return int(self.every[:-1]) * _SECONDS[self.every[-1]] if self.every else None


KEYS = ("generator_key", "embedder_key", "reranker_key", "teacher_key")
"""The settings that are keys of endpoints, or name files of those."""

_POSTGRES = ("postgresql://", "postgres://")
_PASSWORD = re.compile(r"\s*postgres(ql)?://([^/@]*:[^/@]+@|.*[?&]password=)")
_PASSWORD_GOES = {
    "index": "set WHIMBREL_INDEX, or write the password to ~/.pgpass",
    "database": "write the address to a file of its own, `chmod 600` that, and set database = "
    '"@FILE"',
}
"""Where the password of each address belongs that is a Postgres."""

_SOURCE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TAKEN = frozenset(("person", "in", "public", "lock"))
"""What begins labels that mean something else, and what lies beside the mirrors."""


class Settings(FileSettings):
    """Every value can be set as `WHIMBREL_<NAME>` or in `whimbrel.toml`; the environment wins."""

    model_config = SettingsConfigDict(
        env_prefix="WHIMBREL_", toml_file=CONFIG_FILE, extra="forbid", frozen=True
    )
    # The API's; training's; sources' secrets; the compose file's; what Kubernetes says of a service
    # that is named whimbrel.
    others = r"api_.*|learn_.*|source_.*|documents|(.+_)?service_(host|port.*)|(.+_)?port(_\d+_.*)?"

    home: Path = Field(Path(".whimbrel"), description="database, index and unpacked models")
    database: SecretStr | None = Field(
        None,
        description=(
            "`postgresql://…` for what the bot keeps, or `@` and a file of it that its owner alone "
            "can read; unset keeps it in `home`"
        ),
    )
    index: SecretStr | None = Field(
        None,
        description=(
            "a Postgres with pgvector that workers share the index in, as `postgresql://…`; unset "
            "keeps it in `home`"
        ),
    )
    embedder: str = Field(
        "multilingual-e5-small",
        description="a folder, an embedded model's name, a hub id or an endpoint's address",
    )
    generator: str = Field(
        "qwen2.5-coder-0.5b-instruct",
        description="the same, or `none` to quote only",
    )
    reranker: str | None = Field(
        None, description="a cross-encoder: a folder, a hub id or an endpoint's address"
    )
    generator_model: str | None = Field(
        None, description="the model's name at an endpoint that has several"
    )
    generator_context: int | None = Field(
        None, ge=512, description="tokens that an endpoint's model takes; unset asks the endpoint"
    )
    generator_key: SecretStr | None = Field(
        None, description="an endpoint's key, or `@` and a file of it that its owner alone can read"
    )
    embedder_key: SecretStr | None = Field(None, description="the same of the embedder's endpoint")
    reranker_key: SecretStr | None = Field(None, description="the same of the reranker's endpoint")
    teacher: str | None = Field(
        None, description="what `whimbrel distil` learns from: an endpoint's address or a model"
    )
    teacher_key: SecretStr | None = Field(None, description="the same of the teacher's endpoint")
    endpoints: Literal["anywhere", "private", "none"] = Field(
        "anywhere", description="where endpoints may be: `private` is this machine and its network"
    )
    endpoint_seconds: int = Field(60, ge=1, description="longest silence of an endpoint")
    endpoint_requests: int = Field(8, ge=1, description="requests to an endpoint at once")
    tier: Literal["quotes", "small", "capable", "strong"] | None = Field(
        None, description="what the generator is trusted with; unset goes by its size"
    )
    support: str | None = Field(
        None,
        description=(
            "what reads whether passages support a sentence: an NLI cross-encoder or a support "
            "checker, a folder or a hub id, or `generator`; unset compares words alone"
        ),
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where models run")
    threads: int = Field(0, ge=0, description="CPU threads for the models; 0 takes every core")
    passage_tokens: int = Field(256, ge=32, description="longest passage, in the embedder's tokens")
    audiences: dict[str, str] = Field(
        default_factory=dict, description="path pattern to audience label; the rest is public"
    )
    sources: dict[str, SourceTable] = Field(
        default_factory=dict,
        description="what is read besides folders, each in a table of its name",
    )
    link_hosts: tuple[str, ...] = Field(
        (),
        description=(
            "hosts that documents may be linked to, such as `docs.example`, `*.example` or, also "
            "without TLS, `http://wiki`; none: all over https, and each link says where it leads"
        ),
    )
    hits: int = Field(
        4, ge=1, le=100, description="passages that an answer is made from; unset, by the tier"
    )
    prompt_tokens: int = Field(
        1024, ge=128, description="token budget of a prompt; unset, by the tier"
    )
    answer_tokens: int = Field(
        200, ge=8, description="longest answer, in tokens; unset, by the tier"
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="answer from this confidence on; unset takes the calibrated one",
    )
    log: Literal["console", "json"] = Field("console", description="how logs are written")
    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        None, description="what is logged from; unset: the bot's `info`, a command's `warning`"
    )
    max_question_chars: int = Field(4_000, ge=1, description="longer questions are refused")
    text_types: tuple[str, ...] = Field(
        (), description="other types to read as plain text, such as `.log` or `.py`"
    )
    max_file_mb: int = Field(64, ge=1, description="larger files are not read")
    parse_seconds: int = Field(60, ge=1, description="longest time to parse one file")
    parse_memory_mb: int = Field(2_048, ge=512, description="memory limit to parse one file")
    ocr_pages: int = Field(
        100,
        ge=0,
        description="pages of a file that OCR reads at most; each may take `parse_seconds`",
    )

    @field_validator("index")
    @classmethod
    def _is_postgres(cls, address: SecretStr | None) -> SecretStr | None:
        if address is not None and not address.get_secret_value().startswith(_POSTGRES):
            raise ValueError("wanted an address such as postgresql://whimbrel@db.example/whimbrel")
        return address

    @field_validator("audiences")
    @classmethod
    def _are_labels(cls, rules: dict[str, str]) -> dict[str, str]:
        return {pattern: label_of(label) for pattern, label in rules.items()}

    @field_validator("database")
    @classmethod
    def _is_of_postgres(cls, address: SecretStr | None) -> SecretStr | None:
        begins = (*_POSTGRES, "@")
        if address is not None and not address.get_secret_value().strip().startswith(begins):
            raise ValueError("wanted postgresql://USER@HOST/NAME, or @ and a file of it")
        return address

    @field_validator("text_types")
    @classmethod
    def _are_suffixes(cls, suffixes: tuple[str, ...]) -> tuple[str, ...]:
        for suffix in suffixes:
            if not re.fullmatch(r"\.[^./\\\s]+", suffix):
                raise ValueError(f"found {suffix!r}; wanted a suffix such as .log")
        return tuple(suffix.lower() for suffix in suffixes)

    @field_validator("sources")
    @classmethod
    def _have_names(cls, sources: dict[str, SourceTable]) -> dict[str, SourceTable]:
        for name in sources:
            if not _SOURCE_NAME.fullmatch(name) or name in _TAKEN:
                raise ValueError(f"found {name!r}; wanted a name such as team-handbook")
        return sources

    @field_validator("link_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not HOST.fullmatch(host):
                raise ValueError(f"found {host!r}; wanted a host such as docs.example")
        return hosts

    @property
    def links(self) -> LinkRules:
        """What documents may be linked to."""
        return LinkRules(self.link_hosts, shows_host=not self.link_hosts)

    def apart(self, home: Path) -> Settings:
        """The same settings with everything, the index too, in another home folder."""
        return self.model_copy(update={"home": home, "index": None})

    @property
    def index_folder(self) -> Path:
        """Where the generations of the index are."""
        return self.home / "index"

    @property
    def sources_folder(self) -> Path:
        """Where the mirrors of sources are."""
        return self.home / "sources"

    @property
    def models_folder(self) -> Path:
        """Where models are unpacked and learned ones kept."""
        return self.home / "models"

    @property
    def dataset_folder(self) -> Path:
        """Where exported data sets are."""
        return self.home / "dataset"

    @property
    def distilled_folder(self) -> Path:
        """Where what a teacher said is, and the rows that came of it."""
        return self.home / "distilled"

    @property
    def runs_folder(self) -> Path:
        """Where the runs of learned models are."""
        return self.models_folder / "runs"

    @property
    def database_file(self) -> Path:
        """Where inbox and conversation log are, if they are not in Postgres."""
        return self.home / "whimbrel.db"

    @staticmethod
    def own_part(values: dict[str, Any]) -> dict[str, Any]:
        """All but [slack] and [api], which are the bot's, and [learn], which is training's."""
        for name, goes in _PASSWORD_GOES.items():
            if _PASSWORD.match(str(values.get(name, ""))):
                raise SettingsError(
                    f"{CONFIG_FILE}: {name}: this file is no place for a password; {goes}"
                )
        for name in KEYS:
            if not str(values.get(name, "@")).startswith("@"):
                raise SettingsError(
                    f"{CONFIG_FILE}: {name}: this file is no place for a key; write it to a file "
                    f'of its own, `chmod 600` that, and set {name} = "@FILE"'
                )
        return {
            name: value for name, value in values.items() if name not in ("api", "slack", "learn")
        }


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: If a value cannot be used; the message names the setting.
    """
    return read(Settings, prefix="WHIMBREL_")


def table_of(values: dict[str, Any], name: str) -> dict[str, Any]:
    """A table of all that `whimbrel.toml` holds; empty in a file without it.

    Raises:
        SettingsError: If something else has this name.
    """
    table = values.get(name, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{CONFIG_FILE}: {name} is not a table; write it as [{name}]")
    return table


def read(kind: type[S], *, prefix: str) -> S:
    """The settings of a kind, from their sources.

    Raises:
        SettingsError: If a value or the file cannot be used; the message names which.
    """
    try:
        settings = kind()
    except ValidationError as error:
        raise SettingsError(explain(error, kind, prefix=prefix)) from error
    except SourceError as error:
        named = re.search(r'field "(\w+)"', str(error))
        name = named[1].upper() if named else "…"
        hint = 'in the environment, lists and tables are written as JSON, such as ["a", "b"]'
        raise SettingsError(f"{prefix}{name}: this is no JSON; {hint}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{CONFIG_FILE} cannot be read: {error}") from error
    for name in sorted(settings.model_fields_set):
        if instead := instead_of(kind.model_fields[name]):
            _tell_once(f"{prefix}{name.upper()} will go in a later release: {instead}")
    return settings


def instead_of(field: FieldInfo) -> str:
    """What to do instead of setting a deprecated field; empty for the others.

    A field is deprecated by `json_schema_extra={"instead": "set …"}`; options and commands are by
    click's own `deprecated`.
    """
    extra = field.json_schema_extra
    return str(extra.get("instead", "")) if isinstance(extra, dict) else ""


@cache
def _tell_once(line: str) -> None:
    logger.warning("%s", line)


def explain(
    error: ValidationError, kind: type[BaseModel], *, prefix: str, fold: bool = True
) -> str:
    """One line a person can act on for each setting that pydantic refused.

    `fold` for those that are named in capital letters.
    """
    known = [field.upper() if fold else field for field in kind.model_fields]
    lines = []
    for problem in error.errors():
        name, told = "_".join(map(str, problem["loc"])), problem["msg"]
        name = name.upper() if fold else name
        if problem["type"] == "extra_forbidden":
            # A misspelt `audiences` must not leave restricted documents public.
            told = f"there is no such setting{did_you_mean(name, known, prefix=prefix)}"
        lines.append(f"{prefix}{name}: {told}")
    return "\n".join(lines)
