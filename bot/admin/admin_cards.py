"""What admins are shown: help, what changed, models; pure functions to messages of blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slack_sdk.models.blocks import ActionsBlock, Block, ButtonElement, MarkdownTextObject
from slack_sdk.models.blocks import SectionBlock as Section

from bot.slack.incoming.interactions import RUN
from bot.slack.outgoing.cards import Card, escape
from bot.slack.outgoing.mrkdwn import quoted
from bot.strings import Strings
from retrieval.index.account import Account, counted
from retrieval.index.changes import Changes
from retrieval.index.generation import Rollback
from retrieval.index.manifest import Manifest
from retrieval.records import PUBLIC, Failure, Source
from retrieval.registry.runs import BASE, Deployment, ModelKind, run_of
from retrieval.serving.installation import LearnedModel

NAMES_SHOWN = 10
NAME_CHARS = 80
REASON_CHARS = 120
RUNS_SHOWN = 5
BUTTONS = ("config", "status", "report", "models")
"""The sub-commands that help offers as buttons to admins."""


def help_card(
    usages: Mapping[str, str], strings: Strings, *, intro: str = "", has_buttons: bool = False
) -> Card:
    """How to ask, and a line for each sub-command that the person may use."""
    lines = [intro] if intro else []
    lines.append(strings.commands.help)
    lines += [
        f"`/whimbrel {usage}` {strings.commands.summaries[name]}" for name, usage in usages.items()
    ]
    blocks: list[Block] = [section("\n".join(lines))]
    if has_buttons:
        buttons = [
            ButtonElement(text=strings.commands.buttons[name], action_id=RUN + name, value=name)
            for name in BUTTONS
        ]
        blocks.append(ActionsBlock(elements=buttons))
    return Card("\n".join(lines), tuple(blocks))


def changes_card(
    headline: str,
    changes: Changes,
    strings: Strings,
    *,
    failures: Sequence[Failure] = (),
    partial: Sequence[Source] = (),
) -> Card:
    """What became of the documents: the first of each kind by name, the rest as a number.

    So are those that are not for everybody: not every admin may read them. Files that could not be
    read are named, so that somebody mends them.
    """
    first = sorted(failures, key=lambda failure: not failure.is_restricted)
    reasons = [_with_reason(failure.id, failure.reason) for failure in first]
    gaps = [
        _with_reason(source.id, "; ".join(source.gaps))
        for source in partial
        if source.audience == PUBLIC
    ]
    documents = (
        (strings.reindex.added, changes.added),
        (strings.reindex.changed, changes.changed),
        (strings.reindex.removed, changes.removed),
    )
    named = (
        (title, [_name(id_) for id_ in ids if id_ not in changes.closed], ids)
        for title, ids in documents
    )
    lists = (
        *named,
        (strings.reindex.partial, gaps, partial),
        (strings.reindex.unread, reasons, failures),
    )
    sections = [_names(title, names, len(all_), strings) for title, names, all_ in lists if all_]
    return Card(headline, tuple(map(section, (headline, *sections))))


def rollback_card(done: Rollback, strings: Strings) -> Card:
    """From which index is answered again, by which retriever, and with which documents."""
    after, changes = done.after, done.changes
    date = after.created[:16].replace("T", " ")
    lines = [strings.models.rolled_back.format(name=after.name, date=date, before=done.before)]
    was, is_now = run_of(done.embedder_before), run_of(after.recipe.embedder)
    if done.embedder_before and was != is_now:
        lines.append(model_line("retriever", was, is_now, strings))
    if changes is not None:
        lines.append(strings.models.documents_differ if changes else strings.models.documents_same)
    return changes_card("\n".join(lines), changes or Changes(), strings)


def model_line(kind: ModelKind, before: str, after: str, strings: Strings) -> str:
    """Which model of a kind serves again, and which one no longer does."""
    return strings.models.run_rolled_back.format(
        kind=strings.models.trained_kinds[kind],
        before=run_name(before, strings),
        after=run_name(after, strings),
    )


def models_card(
    models: Mapping[str, str],
    served: Manifest,
    previous: Manifest | None,
    history: Sequence[str],
    strings: Strings,
) -> Card:
    """The models in use, the two generations of the index, and lines of what was learned."""
    lines = [f"*{strings.models.title}*"]
    lines += [f"{strings.models.kinds.get(kind, kind)}: `{id_}`" for kind, id_ in models.items()]
    lines.append(generation_line(strings.models.generation_served, served, strings))
    if previous is not None:
        lines.append(generation_line(strings.models.generation_before, previous, strings))
        lines.append(strings.models.rollback_hint)
    lines += history
    text = "\n".join(lines)
    return Card(text, (section(text),))


def learned_lines(
    learned: Sequence[LearnedModel], deployments: Sequence[Deployment], strings: Strings
) -> list[str]:
    """The newest trained models and the latest changes of what serves, with their headings."""
    lines = []
    if learned:
        lines.append(f"*{strings.models.learned_title}*")
        lines += [_learned(model, strings) for model in learned[-RUNS_SHOWN:]]
    if deployments:
        lines.append(f"*{strings.models.deployments_title}*")
        latest = (deployment_line(change, strings) for change in deployments[-RUNS_SHOWN:])
        lines += map(escape, latest)
    return lines


def deployment_line(change: Deployment, strings: Strings) -> str:
    """A change of the trained model that serves or is tried, with its date and reason."""
    return strings.models.deployment[change.how].format(
        date=change.at[:16].replace("T", " "),
        kind=strings.models.trained_kinds[change.kind],
        before=run_name(change.before, strings),
        after=run_name(change.after, strings),
        reason=shortened(change.reason, REASON_CHARS),
    )


def shortened(text: str, max_chars: int) -> str:
    """A text on one line, cut at so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"


def _learned(learned: LearnedModel, strings: Strings) -> str:
    run, state = learned.run, strings.models.run_waiting
    if learned.retired is not None:
        state = strings.models.run_retired
    elif learned.is_serving:
        state = strings.models.run_serving
    return strings.models.learned_run.format(
        kind=strings.models.trained_kinds[run.kind],
        id=run.id,
        date=run.created[:10],
        dataset=run.facts.dataset[:12],
        state=state,
    )


def run_name(id_: str, strings: Strings) -> str:
    """A run as admins read it."""
    return strings.models.run_base if id_ == BASE else f"`{id_}`"


def generation_line(title: str, manifest: Manifest, strings: Strings) -> str:
    """A generation of the index: its name, date and size."""
    return f"{title}: " + strings.models.generation.format(
        name=manifest.name,
        date=manifest.created[:16].replace("T", " "),
        documents=manifest.documents,
        passages=manifest.passages,
        embedder=manifest.recipe.embedder,
    )


def account_line(account: Account, strings: Strings, *, has_kinds: bool = False) -> str:
    """How many files were read, and how many were not, for admins also of which kinds."""
    left_out = sum(account.left_out.values())
    line = strings.models.account.format(
        read=account.read, partial=account.partial, refused=account.refused, left_out=left_out
    )
    if not has_kinds or not left_out:
        return line
    kinds = [counted(kind, n) for kind, n in account.left_out.items()]
    more = ["…"] if len(kinds) > NAMES_SHOWN else []
    return f"{line} ({', '.join([*kinds[:NAMES_SHOWN], *more])})"


def _names(title: str, names: Sequence[str], count: int, strings: Strings) -> str:
    """The first names of so many."""
    shown = [f"• {name}" for name in names[:NAMES_SHOWN]]
    rest = count - len(shown)
    if rest > 0:
        shown.append(strings.reindex.and_more.format(count=rest))
    return "\n".join([f"*{title}*", *shown])


def _with_reason(id_: str, reason: str) -> str:
    return f"{_name(id_)} ({quoted(shortened(reason, REASON_CHARS))})"


def _name(id_: str) -> str:
    """The end of a document's id, which tells it from its neighbours."""
    return quoted(id_ if len(id_) <= NAME_CHARS else f"…{id_[1 - NAME_CHARS :]}")


def section(text: str) -> Section:
    """A block of text."""
    return Section(text=MarkdownTextObject(text=text))
