"""Index the sample handbook and ask it three questions: what `make demo` shows."""

from __future__ import annotations

import time
from pathlib import Path

import click

from retrieval.answering.card import render_card, terminal_width, wrap
from retrieval.commands import progress_bar, summary
from retrieval.index.building import update_index
from retrieval.index.library import Library
from retrieval.records import AnswerRequest
from retrieval.search.embedding import Embedder
from retrieval.serving.model_loader import load_answerer
from retrieval.settings import load_settings

HANDBOOK = Path(__file__).parent / "handbook"
QUESTIONS = (
    "How many days of annual leave do I get?",
    "电脑丢失后要在多长时间内报告？",
    "What is the wifi password of the Lisbon office?",
)
NEXT = """
That was the whole pipeline, on this machine. What to do next:

  whimbrel ask "your question"          ask the sample handbook yourself
  whimbrel chat                         the same, with follow-up questions
  whimbrel index FOLDER                 read your own documents instead
  whimbrel serve                        answer in Slack (README: "In Slack")
  whimbrel doctor                       what is missing, and how to mend it

The program is .venv/bin/whimbrel; `source .venv/bin/activate` puts it on your path.
"""


def main() -> None:
    began = time.monotonic()
    settings = load_settings()
    click.secho("1. Reading the sample handbook in examples/handbook", bold=True)
    embedder = Embedder.load(settings, on_progress=click.echo)
    with progress_bar() as on_progress:
        report = update_index([HANDBOOK], settings, embedder, on_progress=on_progress)
    click.echo(summary(report))
    click.secho("\n2. Loading the language model", bold=True)
    answerer = load_answerer(
        settings, library=Library.load(settings, embedder), on_progress=click.echo
    )
    click.secho("\n3. Asking", bold=True)
    for question in QUESTIONS:
        click.secho(f"\n› {question}", bold=True, fg="cyan")
        card = render_card(answerer.answer(AnswerRequest(question)))
        click.echo(wrap(card, terminal_width()))
    click.echo(f"\nDone in {time.monotonic() - began:.0f} s.")
    click.echo(NEXT)


if __name__ == "__main__":
    main()
