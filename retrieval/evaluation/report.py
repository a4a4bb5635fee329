"""An evaluation as a table to read and as files to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from retrieval.evaluation.evaluate import EvaluatedAnswer, Ranking, ScoreRow
from retrieval.jsonl import to_line, write_lines

_COLUMNS: Mapping[str, str] = {
    "data": "data",
    "language": "lang",
    "queries": "judged",
    "ndcg": "nDCG@10",
    "recall": "recall@10",
    "mrr": "MRR@10",
    "search_s": "s/search",
    "questions": "asked",
    "f1": "token F1",
    "citation_precision": "cite P",
    "citation_recall": "cite R",
    "auroc": "AUROC",
    "false_answers": "false answers",
    "false_abstentions": "false abst.",
    "answer_s": "s/answer",
}


def table(rows: Sequence[ScoreRow]) -> str:
    """The rows as a Markdown table; columns that no row fills are left out."""
    records = [asdict(row) for row in rows]
    names = [name for name in _COLUMNS if any(_cell(record[name]) for record in records)]
    cells = [[_COLUMNS[name] for name in names]]
    cells += [[_cell(record[name]) for name in names] for record in records]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if value else ""
    return "" if math.isnan(value) else f"{value:.3f}"


def save(
    folder: Path,
    rows: Sequence[ScoreRow],
    rankings: Sequence[Ranking],
    replies: Sequence[EvaluatedAnswer],
) -> Path:
    """Write the table and what it was computed from into a new folder below `folder`."""
    target = folder / datetime.now(UTC).strftime("report-%Y%m%dT%H%M%S")
    target.mkdir(parents=True)
    (target / "table.md").write_text(table(rows) + "\n", encoding="utf-8")
    for name, records in (("rows", rows), ("rankings", rankings), ("replies", replies)):
        write_lines(target / f"{name}.jsonl", (to_line(asdict(record)) for record in records))
    return target
