"""Documents about lamps, and a teacher at an endpoint that has read them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.llm.generator import load_teacher
from retrieval.search.embedding import Embedder
from retrieval.settings import Settings
from tests.endpoint_server import EndpointServer
from tests.retrieval.word_embedder import WordEmbedder
from training.distillation.distilling import Distillation
from training.generator.rows import DECLINES

PLACES = ("northpier", "eastquay", "mill", "tower", "harbour", "ferry", "bridge", "lighthouse")
SECRET = "ledger"


AUDIENCES = '{"docs/board.md": "board"}'


def library(home: Path, model: Embedder | None = None, **values: object) -> Library:
    """An index of a public document for each place, and one that only the board may read."""
    docs = home / "docs"
    docs.mkdir(parents=True)
    for number, place in enumerate(PLACES, start=11):
        text = f"# {place.title()}\n\nThe lamp of the {place} is painted every {number} days.\n"
        (docs / f"{place}.md").write_text(text, encoding="utf-8")
    (docs / "board.md").write_text(f"# Board\n\nThe {SECRET} holds 900 crowns for lamps.\n")
    (docs / "keys.md").write_text("# Keys\n\nThe password is lamp-4417-reed for lamps.\n")
    given: dict[str, Any] = {"audiences": json.loads(AUDIENCES), "device": "cpu", "threads": 1}
    settings = Settings(home=home, **(given | values))
    update_index([docs], settings, model := model or WordEmbedder())
    return Library(settings, model)


def distillation(
    library: Library, server: EndpointServer, home: Path, *, at_once: int = 1
) -> Distillation:
    """Taught by the model at an endpoint; what it says is kept in another home."""
    settings = library.settings.apart(home).model_copy(update={"teacher": f"{server.url}/v1#tiny"})
    return Distillation(load_teacher(settings), library.searcher(), settings, at_once)


def teach(body: dict[str, Any]) -> str:
    """What a good teacher writes: its questions are answered, the open ones declined."""
    if len(body["messages"]) == 1:
        return "Yes."
    system, user = (message["content"] for message in body["messages"])
    if "Write nothing but the question" in system:
        place = re.findall(r"lamp of the (\w+)", user)[0]
        number = system.count("?") + 1
        if "does not answer" in system:
            return f"Who pays for lamp {number} of the {place}?"
        return f"How often is lamp {number} of the {place} painted?"
    place = re.findall(r"of the (\w+)", user.splitlines()[-1])[0]
    days = re.search(rf"lamp of the {place} is painted every (\d+) days", user)
    if "Who pays" in user or days is None:
        return DECLINES["en"]
    return f"The lamp of the {place} is painted every {days[1]} days."
