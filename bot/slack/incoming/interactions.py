"""Clicks, submitted modals and shortcuts, turned into deliveries for the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bot.slack.incoming.payloads import Body, Interaction, RatingGiven
from bot.store.inbox import Delivery, JobKind
from retrieval.documents.loaders.slack_words import files_of, forwarded_words, own_words

FEEDBACK_ACTION = "rate_answer"
GOOD, BAD = "good", "bad"
WHY, SHARE, KEEP = "why_answer", "share_answer", "keep_answer"
DELETE, ASK_EXPERT, RETRY = "delete_answer", "ask_expert", "retry_question"
WITHDRAW = "withdraw_question"
ASK_ABOUT_MESSAGE = "ask_about_message"
RUN = "run_"
"""Goes before the name of a sub-command of `/whimbrel` in the action id of its button."""
SAVE_CONFIG = "save_config"
TELL_REASON, REASON = "tell_reason", "reason"
ACCEPT_REPLY = "accept_reply"
OFFER = "offer"
"""No button sends this: it has the asker asked whether people's reply is the answer."""
APPROVE_REVIEW, REJECT_REVIEW = "approve_review", "reject_review"
EDIT_REVIEW, EDITED_REVIEW = "edit_review", "edited_review"
RETIRE_ANSWER = "retire_answer"
SET_LEARNING, FORGET_ME = "set_learning", "forget_me"
NEWS_ON, NEWS_OFF = "news_on", "news_off"

INTERACTIONS: dict[str, JobKind] = {
    FEEDBACK_ACTION: "vote",
    WHY: "card",
    SHARE: "card",
    KEEP: "card",
    DELETE: "card",
    ASK_EXPERT: "card",
    RETRY: "card",
    WITHDRAW: "withdraw",
    ASK_ABOUT_MESSAGE: "pointed",
    f"{RUN}status": "command",
    f"{RUN}config": "command",
    f"{RUN}models": "command",
    f"{RUN}report": "report",
    f"{RUN}trial_publish": "command",
    f"{RUN}trial_stop": "command",
    SAVE_CONFIG: "config",
    TELL_REASON: "review",
    REASON: "review",
    ACCEPT_REPLY: "review",
    APPROVE_REVIEW: "review",
    REJECT_REVIEW: "review",
    EDIT_REVIEW: "review",
    EDITED_REVIEW: "review",
    RETIRE_ANSWER: "review",
    SET_LEARNING: "home",
    NEWS_ON: "home",
    NEWS_OFF: "home",
    FORGET_ME: "home",
}
"""Action ids of buttons and callback ids of modals and shortcuts, and who handles them."""


def read_interaction(body: Body) -> Delivery | None:
    """The delivery in a click, a submission or a shortcut; None if nothing is to be done."""
    interaction = _interaction(body)
    kind = INTERACTIONS.get(interaction.name)
    if kind is None:
        return None
    user = body["user"]["id"]
    team = (body.get("team") or {}).get("id") or body["user"].get("team_id", "")
    return Delivery(
        event_id=f"gesture:{body['trigger_id']}",
        kind=kind,
        team=team,
        channel=(body.get("channel") or {}).get("id", ""),
        user=user,
        # One person's clicks are done in the order in which they were made.
        thread_key=f"{kind}:{user}",
        payload=asdict(_rating(interaction) if kind == "vote" else interaction),
    )


def _interaction(body: Body) -> Interaction:
    if body["type"] == "view_submission":
        view = body["view"]
        return Interaction(
            name=view["callback_id"],
            value=view.get("private_metadata", ""),
            inputs=read_inputs(view["state"]["values"]),
            trigger_id=body["trigger_id"],
        )
    action = body["actions"][0] if body["type"] == "block_actions" else {}
    message, container = body.get("message") or {}, body.get("container") or {}
    is_asked_about = body["type"] == "message_action"
    return Interaction(
        name=action.get("action_id") or body.get("callback_id", ""),
        value=action.get("value") or _selected(action),
        inputs=read_inputs((body.get("state") or {}).get("values", {})),
        trigger_id=body["trigger_id"],
        response_url=body.get("response_url"),
        ts=message.get("ts") or container.get("message_ts"),
        thread_ts=message.get("thread_ts") or container.get("thread_ts"),
        text=own_words(message) if is_asked_about else "",
        author=message.get("user") or message.get("bot_id"),
        is_ephemeral=bool(container.get("is_ephemeral")),
        forwarded=forwarded_words(message) if is_asked_about else (),
        files=files_of(message) if is_asked_about else (),
    )


def read_inputs(values: Mapping[str, Mapping[str, Body]]) -> dict[str, str]:
    """What the fields of a modal or message hold, by action id, each as text."""
    return {
        action_id: element.get("value") or _selected(element)
        for block in values.values()
        for action_id, element in block.items()
    }


def _selected(element: Body) -> str:
    """What a menu, a picker or check boxes have selected; several are separated by commas."""
    option: Any = element.get("selected_option") or {}
    several = [option["value"] for option in element.get("selected_options") or ()]
    for kind in ("users", "conversations", "channels"):
        several += element.get(f"selected_{kind}") or []
        selected = element.get(f"selected_{kind[:-1]}")
        several += [selected] if selected else []
    return str(option.get("value") or ",".join(several))


def _rating(interaction: Interaction) -> RatingGiven:
    verdict, _, turn_id = interaction.value.partition(":")
    return RatingGiven(
        value=1 if verdict == GOOD else -1,
        source="button",
        turn_id=turn_id,
        trigger_id=interaction.trigger_id,
    )
