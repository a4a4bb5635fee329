"""The modal in which admins set how the bot behaves in a channel: pure functions, no Slack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    InputBlock,
    NumberInputElement,
    Option,
    PlainTextInputElement,
    RadioButtonsElement,
    StaticSelectElement,
    UserMultiSelectElement,
)
from slack_sdk.models.views import View

from bot.slack.incoming.interactions import SAVE_CONFIG
from bot.store.channels import ChannelConfig
from bot.strings import Strings, strings_for

CHOICES = {
    "mode": ("mentions", "questions"),
    "followups": ("off", "asker", "everyone"),
    "language": ("auto", "en", "zh"),
    "visibility": ("thread", "asker"),
    "buttons": ("on", "off"),
    "trials": ("on", "off"),
    "apps": ("on", "off"),
    "reading": ("on", "off"),
}
"""The fields with a fixed choice and what can be chosen, in the order in which it is shown."""

MAX_EXPERTS = 10
MAX_SOURCES = 50
SOURCE_CHARS = 2_000


def channel_form(channel: str, config: ChannelConfig, strings: Strings) -> dict[str, Any]:
    """The modal, filled in with what holds now."""
    view = View(
        type="modal",
        callback_id=SAVE_CONFIG,
        private_metadata=channel,
        title=strings.channel_form.title,
        submit=strings.channel_form.save,
        close=strings.channel_form.cancel,
        blocks=list(_fields(config, strings)),
    )
    form: dict[str, Any] = view.to_dict()
    return form


def read_form(inputs: Mapping[str, str], config: ChannelConfig) -> ChannelConfig:
    """What somebody has filled in, on top of what the form does not ask for.

    Raises:
        ValueError: If a field has a value that the form does not offer.
    """
    chosen = {name: inputs.get(name, "") for name in CHOICES}
    is_offered = all(value in CHOICES[name] for name, value in chosen.items())
    if not is_offered or form_errors(inputs, strings_for("en")):
        raise ValueError(f"not what the form offers: {chosen}")
    threshold = inputs.get("threshold", "")
    values: dict[str, Any] = {
        **chosen,
        "buttons": chosen["buttons"] == "on",
        "trials": chosen["trials"] == "on",
        "apps": chosen["apps"] == "on",
        "reading": chosen["reading"] == "on",
        "sources": _sources(inputs.get("sources", "")),
        "threshold": float(threshold) if threshold else None,
        "experts": tuple(filter(None, inputs.get("experts", "").split(","))),
    }
    return replace(config, **values)


def form_errors(inputs: Mapping[str, str], strings: Strings) -> dict[str, str]:
    """The fields that cannot be saved as they are, each with why."""
    errors = {}
    threshold = inputs.get("threshold", "")
    if threshold and not _is_share(threshold):
        errors["threshold"] = strings.channel_form.threshold_wrong
    if len(_sources(inputs.get("sources", ""))) > MAX_SOURCES:
        errors["sources"] = strings.channel_form.sources_wrong
    return errors


def config_lines(config: ChannelConfig, strings: Strings) -> list[str]:
    """What holds in a channel, a line for each field; people are counted, not named."""
    options = strings.channel_form.options
    values = {name: options[name][_chosen(config, name)] for name in CHOICES}
    values["sources"] = ", ".join(config.sources) or strings.channel_form.all_sources
    values["threshold"] = strings.channel_form.usual
    if config.threshold is not None:
        values["threshold"] = f"{config.threshold:g}"
    values["experts"] = str(len(config.experts))
    return [f"{label}: {values[name]}" for name, label in strings.channel_form.labels.items()]


def _fields(config: ChannelConfig, strings: Strings) -> Iterator[Block]:
    yield _choice("mode", config, strings, is_radio=True)
    yield _choice("followups", config, strings)
    yield _choice("apps", config, strings, is_radio=True)
    text = PlainTextInputElement(
        action_id="sources",
        multiline=True,
        max_length=SOURCE_CHARS,
        initial_value="\n".join(config.sources) or None,
    )
    yield _input("sources", text, strings, is_optional=True)
    yield _choice("language", config, strings)
    yield _choice("visibility", config, strings, is_radio=True)
    number = NumberInputElement(
        action_id="threshold",
        is_decimal_allowed=True,
        min_value="0",
        max_value="1",
        initial_value=None if config.threshold is None else f"{config.threshold:g}",
    )
    yield _input("threshold", number, strings, is_optional=True)
    yield _choice("buttons", config, strings, is_radio=True)
    yield _choice("trials", config, strings, is_radio=True)
    people = UserMultiSelectElement(
        action_id="experts",
        initial_users=list(config.experts) or None,
        max_selected_items=MAX_EXPERTS,
    )
    yield _input("experts", people, strings, is_optional=True)
    yield _choice("reading", config, strings, is_radio=True)


def _choice(
    name: str, config: ChannelConfig, strings: Strings, *, is_radio: bool = False
) -> InputBlock:
    options = {
        value: Option(value=value, label=strings.channel_form.options[name][value])
        for value in CHOICES[name]
    }
    chosen = options[_chosen(config, name)]
    listed: Sequence[Option] = list(options.values())
    if is_radio:
        radio = RadioButtonsElement(action_id=name, options=listed, initial_option=chosen)
        return _input(name, radio, strings)
    select = StaticSelectElement(action_id=name, options=listed, initial_option=chosen)
    return _input(name, select, strings)


def _chosen(config: ChannelConfig, name: str) -> str:
    value = getattr(config, name)
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _input(
    name: str,
    element: Any,  # noqa: ANN401 - what an input block may hold has no common type
    strings: Strings,
    *,
    is_optional: bool = False,
) -> InputBlock:
    return InputBlock(
        block_id=name,
        label=strings.channel_form.labels[name],
        hint=strings.channel_form.hints.get(name),
        element=element,
        optional=is_optional,
    )


def _sources(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
