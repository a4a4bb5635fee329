"""What is asked in modals: what was wrong with an answer, what an expert makes of a proposal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.slack.incoming.interactions import ACCEPT_REPLY, EDITED_REVIEW, REASON, TELL_REASON
from bot.slack.outgoing.cards import Card, notice
from bot.store.reasons import REASONS, Reason
from bot.store.reviews import Review
from bot.store.turns import DocumentRef
from bot.strings import Strings

View = dict[str, Any]

MAX_TEXT = 3_000
MAX_OPTION = 75
NO_DOCUMENT = "none"


def reason_modal(
    turn_id: str, documents: Mapping[int, DocumentRef], known: Reason | None, strings: Strings
) -> View:
    """What was wrong? Every field may be left empty.

    `documents` are those that the person may see, by position. `known` is what they said before.
    """
    kinds: dict[str, str] = {kind: strings.feedback.reasons[kind] for kind in REASONS}
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": strings.feedback.why_bad_intro}},
        _menu("reason", strings.feedback.why_bad, kinds, known.reason if known else ""),
        _text("answer", strings.feedback.right_answer, known.answer if known else "", is_long=True),
        *_documents(documents, known.document if known else None, strings),
        _text(
            "document_name", strings.feedback.other_document, known.document_name if known else ""
        ),
    ]
    return _modal(
        REASON, turn_id, strings.feedback.why_bad_title, strings.feedback.send, blocks, strings
    )


def why_note(turn_id: str, strings: Strings) -> Card:
    """An invitation to say what was wrong, where no modal can be opened."""
    return _note(
        strings.feedback.why_bad_note, strings.feedback.why_bad_button, TELL_REASON, turn_id
    )


def accept_note(turn_id: str, strings: Strings) -> Card:
    """Asks whether what people have replied is the answer."""
    return _note(
        strings.feedback.accept_note, strings.feedback.accept_button, ACCEPT_REPLY, turn_id
    )


def edit_modal(review: Review, documents: Mapping[int, DocumentRef], strings: Strings) -> View:
    """A proposal to be changed and approved in one go; `documents` are those the expert may see."""
    proposal = review.proposal
    blocks = [
        _text(
            "question",
            strings.review.edit_question,
            proposal.question,
            is_long=True,
            is_optional=False,
        ),
        _text(
            "answer", strings.review.edit_answer, proposal.answer, is_long=True, is_optional=False
        ),
        *_documents(documents, proposal.document, strings),
    ]
    title, submit = strings.review.edit_title, strings.review.approve
    return _modal(EDITED_REVIEW, str(review.id), title, submit, blocks, strings)


def chosen_document(
    inputs: Mapping[str, str], documents: Sequence[DocumentRef]
) -> DocumentRef | None:
    """The document that was selected, of all of which the modal offered some."""
    position = inputs.get("document", "")
    in_range = position.isdecimal() and int(position) < len(documents)
    return documents[int(position)] if in_range else None


def document_label(document: DocumentRef) -> str:
    """The end of a document's id, which says most, as long as a menu can show."""
    name = document.document_id
    if len(name) <= MAX_OPTION:
        return name
    tail = PurePosixPath(name).name
    return "…" + (tail if len(tail) < MAX_OPTION else tail[1 - MAX_OPTION :])


def _note(text: str, label: str, name: str, turn_id: str) -> Card:
    button = ButtonElement(text=label, action_id=name, value=turn_id)
    said = notice(text)
    return Card(said.text, (*said.blocks, ActionsBlock(elements=[button])))


def _modal(
    name: str, about: str, title: str, submit: str, blocks: list[View], strings: Strings
) -> View:
    return {
        "type": "modal",
        "callback_id": name,
        "private_metadata": about,
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain(strings.feedback.cancel),
        "blocks": blocks,
    }


def _documents(
    documents: Mapping[int, DocumentRef], chosen: DocumentRef | None, strings: Strings
) -> list[View]:
    """Position of the document by its label; a menu without anything to choose is not shown."""
    if not documents:
        return []
    labels = {str(n): document_label(document) for n, document in documents.items()}
    at = next((str(n) for n, document in documents.items() if document == chosen), NO_DOCUMENT)
    options = {NO_DOCUMENT: strings.feedback.no_document} | labels
    return [_menu("document", strings.feedback.right_document, options, at)]


def _menu(name: str, label: str, options: Mapping[str, str], chosen: str) -> View:
    listed = [{"text": _plain(text), "value": value} for value, text in options.items()]
    element: View = {"type": "static_select", "action_id": name, "options": listed}
    if chosen in options:
        element["initial_option"] = next(option for option in listed if option["value"] == chosen)
    return {"type": "input", "label": _plain(label), "optional": True, "element": element}


def _text(
    name: str, label: str, value: str, *, is_long: bool = False, is_optional: bool = True
) -> View:
    element: View = {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": is_long,
        "max_length": MAX_TEXT if is_long else 200,
    }
    if value:
        element["initial_value"] = value[: element["max_length"]]
    return {"type": "input", "label": _plain(label), "optional": is_optional, "element": element}


def _plain(text: str) -> View:
    return {"type": "plain_text", "text": text}
