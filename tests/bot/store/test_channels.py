from __future__ import annotations

import pytest

from bot.store.channels import ChannelConfig, Channels
from bot.store.database import Database


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def channels(database: Database, clock: Clock) -> Channels:
    return Channels(database, clock=clock)


def test_a_channel_that_nobody_has_set_up_has_the_defaults(channels: Channels) -> None:
    assert channels.of("C1") == ChannelConfig()


def test_what_is_set_holds_for_that_channel_only(channels: Channels) -> None:
    config = ChannelConfig(mode="questions", sources=("handbook/",), experts=("U1", "U2"))
    channels.set("C1", config, by="U9")
    assert channels.of("C1") == config
    assert channels.of("C2") == ChannelConfig()
    assert channels.listening() == {"C1"}


def test_muting_ends_by_itself_and_changes_nothing_else(channels: Channels, clock: Clock) -> None:
    channels.set("C1", ChannelConfig(language="zh"), by="U9")
    channels.mute("C1", seconds=60, by="U9")
    assert channels.is_muted("C1")
    clock.now += 61
    assert not channels.is_muted("C1")
    assert channels.of("C1").language == "zh"


def test_muting_can_be_ended_early(channels: Channels) -> None:
    channels.mute("C1", seconds=60, by="U9")
    channels.mute("C1", seconds=0, by="U9")
    assert not channels.is_muted("C1")


def test_a_channel_becomes_documents_only_where_somebody_chose_that(channels: Channels) -> None:
    channels.set("C1", ChannelConfig(reading=True), by="U9")
    channels.set("C2", ChannelConfig(), by="U9")
    assert channels.read() == {"C1"}
