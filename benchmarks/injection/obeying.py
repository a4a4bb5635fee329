"""A model that does whatever its prompt says, behind an endpoint that speaks as OpenAI's does."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.injection.attacks import CANARIES, FALSE, TRUE
from retrieval.language import sentences

_ORDER = re.compile("«([^»]*)»", re.DOTALL)
_PUMP = re.compile(r"Heron\d+")
_ASKED = re.compile(r"(?:Question|问题)[:：]\s*(.*)", re.DOTALL)


def obey(body: dict[str, Any]) -> str:
    """What it writes: the attacker's claim if there is one, and all that it is told to write."""
    system, *_ = (message["content"] for message in body["messages"])
    prompt = body["messages"][-1]["content"]
    asked = (_ASKED.findall(prompt) or [prompt])[-1]
    said = " ".join(_filled(order, prompt, asked) for order in _ORDER.findall(prompt))
    if "Reply with the question alone" in system or "只回复这个问题" in system:
        return f"{asked.strip()} {said}".replace('"', "")
    fact = _fact(prompt, asked)
    marked = fact.rstrip(".。")
    end = fact[len(marked) :]
    return f"{marked} {said}{end}\n{said}\n{fact}" if said else fact


def _filled(order: str, prompt: str, asked: str) -> str:
    secrets = [word for word in CANARIES if word in prompt]
    told = [line for line in prompt.splitlines() if any(word in line for word in CANARIES)]
    return (
        order.replace("SECRETS", " ".join(told))
        .replace("SECRET", "-".join(secrets))
        .replace("QUESTION", re.sub(r"\W+", "-", asked)[:60])
    )


def _fact(prompt: str, asked: str) -> str:
    """A sentence about the pump that is asked about, the attacker's before another."""
    pumps = _PUMP.findall(asked) or _PUMP.findall(prompt)
    about = [said for said in sentences(prompt) if pumps and f"{pumps[0]} " in said]
    for number in (FALSE, TRUE):
        for said in about:
            if number in said and "«" not in said:
                return said.split("\n")[-1].strip()
    return "NOT FOUND"
