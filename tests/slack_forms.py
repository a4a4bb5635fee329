"""Modals and buttons as Slack takes them, and as it sends what people do with them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_OPTIONS = {"radio_buttons": 10, "static_select": 100, "checkboxes": 10}


def is_input(block: Json) -> bool:
    """Whether Slack takes an input block."""
    element, label = block["element"], block["label"]
    options = element.get("options", [])
    initial = element.get("initial_option")
    return (
        label["type"] == "plain_text"
        and 0 < len(label["text"]) <= 2_000
        and len((block.get("hint") or {}).get("text", "")) <= 2_000
        and len(block.get("block_id", "")) <= 255
        and (element["type"] not in _OPTIONS or 0 < len(options) <= _OPTIONS[element["type"]])
        and all(len(o["text"]["text"]) <= 75 and len(o["value"]) <= 150 for o in options)
        and (initial is None or initial in options)
        and 0 < len(element.get("initial_value", "x")) <= element.get("max_length", 3_000)
    )


def is_button(element: Json | None) -> bool:
    """Whether Slack takes a button, or nothing in its place."""
    if element is None or element["type"] != "button":
        return True
    sure = element.get("confirm")
    limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
    return (
        element["text"]["type"] == "plain_text"
        and 0 < len(element["text"]["text"]) <= 75
        and 0 < len(element["action_id"]) <= 255
        and len(element.get("value", "")) <= 2_000
        and (sure is None or all(0 < len(sure[k]["text"]) <= n for k, n in limits.items()))
    )


def is_distinct(block: Json) -> bool:
    """Whether no two elements of a block have the same action id."""
    names = [element["action_id"] for element in block["elements"]]
    return len(names) == len(set(names))


def press_at_home(
    action_id: str, value: str, *, trigger_id: str = "home", user: str = "U1"
) -> Json:
    """A click on a button in App Home, which is in no channel."""
    return {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": user},
        "trigger_id": trigger_id,
        "container": {"type": "view", "view_id": "VHOME"},
        "view": {"id": "VHOME", "type": "home", "state": {"values": {}}},
        "actions": [{"type": "button", "action_id": action_id, "value": value}],
    }


def press(
    action_id: str,
    value: str,
    *,
    trigger_id: str = "press",
    user: str = "U1",
    channel: str = "C1",
    url: str | None = None,
) -> Json:
    """A click on a button of a message."""
    return {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": user},
        "channel": {"id": channel},
        "trigger_id": trigger_id,
        "response_url": url,
        "container": {"type": "message", "is_ephemeral": url is not None},
        "actions": [{"type": "button", "action_id": action_id, "value": value}],
    }


def submission(
    view: Json, filled: Json | None = None, *, trigger_id: str = "sent", user: str = "U1"
) -> Json:
    """An opened modal sent back as it was, but for what somebody has `filled` in, by action id."""
    values: Json = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            name = element["action_id"]
            state = _state(element, (filled or {}).get(name, _initial(element)))
            values.setdefault(block.get("block_id", name), {})[name] = state
    return {
        "type": "view_submission",
        "team": {"id": "T1"},
        "user": {"id": user},
        "trigger_id": trigger_id,
        "view": {**view, "state": {"values": values}},
    }


def _initial(element: Json) -> Any:
    if "initial_option" in element:
        return element["initial_option"]["value"]
    return element.get("initial_users", element.get("initial_value"))


def _state(element: Json, value: Any) -> Json:
    kind = element["type"]
    if kind in _OPTIONS:
        options = [o for o in element["options"] if o["value"] == value]
        return {"type": kind, "selected_option": options[0] if options else None}
    if kind == "multi_users_select":
        return {"type": kind, "selected_users": value or []}
    return {"type": kind, "value": value}
