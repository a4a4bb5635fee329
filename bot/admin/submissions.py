"""Submitted modals that go back to the person at once, because a field cannot be as it is."""

from __future__ import annotations

from bot.admin.channel_form import form_errors
from bot.slack.incoming.interactions import SAVE_CONFIG, read_inputs
from bot.slack.incoming.payloads import Body
from bot.strings import strings_for
from retrieval.language import language_of


def complaints(body: Body) -> dict[str, str]:
    """What is wrong with a submitted modal, by block id; nothing if it can be kept."""
    if body.get("type") != "view_submission" or body["view"]["callback_id"] != SAVE_CONFIG:
        return {}
    # Slack does not say in which language a person reads, but the modal is in it.
    strings = strings_for(language_of(body["view"]["title"]["text"]))
    return form_errors(read_inputs(body["view"]["state"]["values"]), strings)
