from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retrieval.errors import DataError
from retrieval.evaluation.claims import read_claims

SECTION = {"_id": "leave", "title": "Leave", "text": "Thirty days a year.", "lang": "en"}
NAMED = {
    "_id": "c1",
    "doc_id": "leave",
    "sentence": "一年有三十天假",
    "supported": True,
    "kind": "crosslingual",
    "lang": "zh",
}
WHOLE = {
    "_id": "c2",
    "sentence": "Forty days a year.",
    "supported": False,
    "kind": "number",
    "language": "en",
    "question": "How many days?",
    "title": "Leave",
    "headings": ["Holidays"],
    "passage": "Thirty days a year.",
    "passage_language": "en",
}


def write(folder: Path, *claims: dict[str, Any]) -> Path:
    (folder / "corpus.jsonl").write_text(json.dumps(SECTION), encoding="utf-8")
    file = folder / "claims.jsonl"
    file.write_text("\n".join(map(json.dumps, claims)), encoding="utf-8")
    return file


def test_a_claim_names_its_passage_or_has_it(tmp_path: Path) -> None:
    named, whole = read_claims(write(tmp_path, NAMED, WHOLE))
    assert (named.passage.text, named.question) == ("Thirty days a year.", "")
    assert (named.language, named.is_supported) == ("zh", True)
    assert whole.passage.indexed_text == "Leave > Holidays\nThirty days a year."
    assert (whole.question, whole.is_supported, whole.kind) == ("How many days?", False, "number")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ({"doc_id": "pay"}, "no passage pay"),
        ({"supported": "yes"}, "supported is true or false"),
        ({"sentence": 3}, "sentence is a text"),
        ({"doc_id": ["leave"]}, "doc_id is a text"),
    ],
)
def test_a_bad_claim_is_named_with_its_line(
    tmp_path: Path, harm: dict[str, Any], told: str
) -> None:
    file = write(tmp_path, NAMED, NAMED | harm)
    with pytest.raises(DataError, match=rf"claims\.jsonl, line 2.*{told}"):
        read_claims(file)
