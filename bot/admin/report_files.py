"""The report as a folder: Markdown to read, JSON to compute with, and the pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bot.admin.charts import draw
from bot.admin.report import Report
from bot.admin.report_cards import is_empty, report_markdown
from retrieval.private import make_private, write_private


def save_report(report: Report, folder: Path) -> str:
    """Write report.md, report.json and, if anybody asked anything, the pictures; the Markdown."""
    make_private(folder)
    text = report_markdown(report)
    write_private(folder / "report.md", text)
    numbers = json.dumps(asdict(report), ensure_ascii=False, indent=1)
    write_private(folder / "report.json", numbers + "\n")
    for picture in () if is_empty(report) else draw(report):
        (folder / picture.name).write_bytes(picture.png)
    return text
