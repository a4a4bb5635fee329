"""The manifest asks for exactly what the code uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.slack.incoming.events import EVENTS, SCOPES
from bot.slack.incoming.interactions import INTERACTIONS
from bot.slack.incoming.slash import COMMANDS
from bot.store.channels import ChannelConfig
from tests.bot.conftest import House, settled
from tests.slack_server import METHOD_SCOPES, Fault, event, mention, slash

ROOT = Path(__file__).parents[2]
EVENT_SCOPES = {
    "agent_session_stopped": "assistant:write",
    "app_mention": "app_mentions:read",
    "channel_shared": "groups:read",
    "channel_unshared": "groups:read",
    "member_joined_channel": "groups:read",
    "member_left_channel": "groups:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "subteam_created": "usergroups:read",
    "subteam_members_changed": "usergroups:read",
    "subteam_updated": "usergroups:read",
    "team_join": "users:read",
    "user_change": "users:read",
}
# App Home and the end of an installation tell of themselves without any scope. A thread is read in
# whatever conversation it is in; the agent view comes with its own scope.
# A file that is attached to a question is fetched from its own address.
# A channel, too, says only with its own scope that it is public, a group direct message who is
# in it, and a person their e-mail address.
ALSO_NEEDED = {
    "assistant:write",
    "channels:read",
    "commands",
    "files:read",
    "groups:history",
    "im:history",
    "mpim:read",
    "users:read.email",
}
NEED_NO_SCOPE = {
    "auth.test",
    "apps.connections.open",
    "views.open",
    "views.update",
    "views.publish",
}


@pytest.fixture
def manifest() -> Any:
    return json.loads((ROOT / "slack-manifest.json").read_text())


def called_methods() -> set[str]:
    """The Web API methods that the bot's code calls."""
    source = "".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    names = re.findall(r"(?:client|poster|streamer|hasty)\.([a-z]+_\w+)\(", source)
    methods = {name.replace("_", ".") for name in names}
    if "files.upload.v2" in methods:  # the SDK's name for two calls
        methods |= {"files.getUploadURLExternal", "files.completeUploadExternal"}
    return {method for method in methods if method in METHOD_SCOPES or method in NEED_NO_SCOPE}


def test_the_scopes_are_the_least_that_work(manifest: Any) -> None:
    by_method = {METHOD_SCOPES[method] for method in called_methods() - NEED_NO_SCOPE}
    by_event = {EVENT_SCOPES[name] for name in EVENTS if name in EVENT_SCOPES}
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert set(scopes) == by_method | by_event | ALSO_NEEDED
    assert scopes == sorted(scopes) == list(SCOPES)


def test_events_and_commands_are_those_that_the_code_reads(manifest: Any) -> None:
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    shortcuts = [shortcut["callback_id"] for shortcut in manifest["features"]["shortcuts"]]
    assert set(shortcuts) <= set(INTERACTIONS)
    commands = manifest["features"]["slash_commands"]
    assert tuple(command["command"] for command in commands) == COMMANDS
    assert all(command["should_escape"] for command in commands)


def test_it_is_an_agent_over_socket_mode_that_people_can_write_to(manifest: Any) -> None:
    view, home = manifest["features"]["agent_view"], manifest["features"]["app_home"]
    assert len(view["agent_description"]) <= 300
    assert len(view["suggested_prompts"]) <= 4
    assert home["home_tab_enabled"]
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"]
    assert manifest["settings"]["socket_mode_enabled"]
    assert manifest["settings"]["interactivity"]["is_enabled"]


async def test_the_bot_works_with_the_scopes_of_the_manifest(house: House, manifest: Any) -> None:
    slack = house.slack
    slack.scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    slack.users["U1"]["is_admin"] = True
    slack.fail("chat.postMessage", Fault("dropped_after"))  # so that the thread is read
    slack.add_message("C1", "1.0", "leave?", "U1")
    bot = await house.start(settings=house.settings(channel_audiences={"C1": ("hr",)}))
    await slack.deliver(event(mention("How many days of leave?", ts="1.0"), "Ev1"))
    url = slack.response_url("r")
    await slack.deliver(slash("/whimbrel", "reindex", trigger_id="1", url=url))
    await settled(bot, done=2)
    bot.channels.set("C2", ChannelConfig(visibility="asker"), by="U1")
    await slack.deliver(event(mention("How many days?", ts="3.0", channel="C2"), "Ev3"))
    await settled(bot, done=3)
    used = {call.method for call in slack.calls if "." in call.method}
    assert used <= called_methods() | NEED_NO_SCOPE
