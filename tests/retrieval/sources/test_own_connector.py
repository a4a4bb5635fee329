"""The connector in docs/sources.md, as it stands there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from retrieval.settings import Settings, SourceTable
from retrieval.sources.connector import sources_of
from retrieval.sources.mirror import label_of, labels_held
from retrieval.sources.syncing import pull_source
from tests.retrieval.sources.shelf import bodies
from tests.retrieval.sources.site import Asked, Site, Told

PAGE = Path(__file__).parents[3] / "docs" / "sources.md"


def note(id_: str, shared_with: list[str] | None) -> dict[str, Any]:
    return {
        "id": id_,
        "title": f"Note {id_}",
        "edited": "2026-11-01T00:00:00+00:00",
        "address": f"https://notes.example/{id_}",
        "author": "Ann",
        "shared_with": shared_with,
    }


def test_the_connector_in_the_documentation_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    (tmp_path / "our_notes.py").write_text(code[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    connect = importlib.import_module("our_notes").connect

    monkeypatch.setenv("WHIMBREL_SOURCE_TEAM_NOTES_TOKEN", "secret")
    with Site() as site:
        pages = {
            "": Told(
                {"notes": [note("1", ["everyone"]), note("2", ["Ann@example.com"])], "next": "2"}
            ),
            "2": Told({"notes": [note("3", None)], "next": None}),
        }

        def listing(asked: Asked) -> Told:
            is_known = asked.headers.get("authorization") == "secret"
            return pages[asked.query.get("after", "")] if is_known else Told(status=401)

        site.answers["/notes"] = listing
        site.answers["/notes/1"] = Told(b"first")
        site.answers["/notes/2"] = Told(b"second")
        table = SourceTable.model_validate({"kind": "notes", "url": site.url, "audience": "public"})
        settings = Settings(home=tmp_path / "home", sources={"team-notes": table})
        source = sources_of(settings)["team-notes"]
        pulled = pull_source(settings, source, connect(source))

    assert (pulled.error, pulled.new) == (None, 2)
    assert [left.reason for left in pulled.left_out] == ["does not say who may read it"]
    assert bodies(settings.sources_folder / "team-notes") == ["first", "second"]
    label = label_of("team-notes", frozenset({"ann@example.com"}))
    assert labels_held(settings.sources_folder, "ann@example.com") == [label]
