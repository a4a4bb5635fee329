"""The settings of `whimbrel learn`, read once from the environment and `[learn]`."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from retrieval.settings import CONFIG_FILE, FileSettings, read, table_of


class LearnSettings(FileSettings):
    """Every value can be set as `WHIMBREL_LEARN_<NAME>` or in `[learn]`; the environment wins."""

    model_config = SettingsConfigDict(
        env_prefix="WHIMBREL_LEARN_", toml_file=CONFIG_FILE, extra="forbid", frozen=True
    )

    publish: bool = Field(True, description="let serve what the gate has passed")
    share: int = Field(
        0, ge=0, le=90, description="percent of threads that it answers at first; 0: all of them"
    )
    minutes: int = Field(60, ge=1, description="longest time that a round of learning may take")
    augment: bool = Field(
        False, description="learn from noisy twins of the questions, too, where a learner can"
    )
    export: tuple[str, ...] = Field(
        (), description='options of `whimbrel export`, such as `["--synthetic", "200"]`'
    )

    @staticmethod
    def own_part(values: dict[str, Any]) -> dict[str, Any]:
        """The table [learn]; a file without it is fine."""
        return table_of(values, "learn")


def load_learn_settings() -> LearnSettings:
    """Read the settings.

    Raises:
        SettingsError: If a value cannot be used; the message names the setting.
    """
    return read(LearnSettings, prefix="WHIMBREL_LEARN_")
