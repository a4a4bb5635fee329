"""Reads files with another library into Markdown; runs in an environment where only that is.

    python peers.py NAME FILE…

Prints a line of JSON for each file: its Markdown and the seconds it took, or the error.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from html import unescape
from typing import Any


def markitdown() -> Callable[[str], str]:
    """Markitdown with the plugins that its extras install."""
    from markitdown import MarkItDown

    reader = MarkItDown()
    return lambda path: str(reader.convert(path).markdown)


def docling() -> Callable[[str], str]:
    """Docling as it comes; for PDF it fetches models."""
    from docling.document_converter import DocumentConverter

    reader = DocumentConverter()
    return lambda path: str(reader.convert(path).document.export_to_markdown())


def unstructured() -> Callable[[str], str]:
    """Unstructured, which gives elements: titles become headings, tables are drawn."""
    from unstructured.partition.auto import partition

    return lambda path: "\n\n".join(map(_element, partition(path, strategy="fast")))


def _element(element: Any) -> str:  # noqa: ANN401 - no types in this environment
    html = getattr(element.metadata, "text_as_html", None)
    if html:
        rows = re.findall(r"<tr.*?</tr>", html, re.DOTALL)
        return "\n".join(f"| {' | '.join(_cells(row))} |" for row in rows)
    return f"# {element.text}" if element.category == "Title" else str(element.text)


def _cells(row: str) -> list[str]:
    # An empty cell may be written <td/>.
    cells = re.findall(r"<t[dh][^>]*?(?:/>|>(.*?)</t[dh]>)", row, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", " ", cell)).strip() for cell in cells]


def fastest(work: Callable[[], object]) -> float:
    """The seconds it took, the best of three times."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Read the first file once more than the others: what is loaded for it counts for none."""
    name, *paths = sys.argv[1:]
    # What a library prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    read = {"markitdown": markitdown, "docling": docling, "unstructured": unstructured}[name]()
    with contextlib.suppress(Exception):
        read(paths[0])
    for path in paths:
        try:
            answer = {"text": read(path), "seconds": fastest(partial(read, path))}
        except Exception as error:  # whatever it raises is the result
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps({"path": path, **answer}), file=answers, flush=True)


if __name__ == "__main__":
    main()
