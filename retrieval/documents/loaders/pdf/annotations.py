"""What is put on a page of a PDF: the values of a form, comments, and links to the web."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as c

from retrieval.documents.loaders.blocks import comment
from retrieval.documents.loaders.pdf.places import Handle, Place

_MAX_NOTES = 2_000
_NOT_SHOWN = 2 | 32  # hidden, no view
_PASSWORD = 1 << 13
_LINE = 14.0
_TYPED = (c.FPDF_FORMFIELD_TEXTFIELD, c.FPDF_FORMFIELD_COMBOBOX, c.FPDF_FORMFIELD_LISTBOX)
_TICKED = (c.FPDF_FORMFIELD_CHECKBOX, c.FPDF_FORMFIELD_RADIOBUTTON)
_URI = 3


@dataclass(frozen=True, slots=True)
class Note:
    """A value in a form, a comment (neither of the others), or a link (with its `url`)."""

    text: str
    place: Place
    is_value: bool = False
    url: str = ""


def notes_on(page: pdfium.PdfPage, form: pdfium.PdfFormEnv | None) -> Iterator[Note]:
    """The notes on a page that are shown, in the page's own space."""
    for n in range(min(c.FPDFPage_GetAnnotCount(page), _MAX_NOTES)):
        annotation = c.FPDFPage_GetAnnot(page, n)
        if not annotation:
            continue
        try:
            if not c.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN:
                yield from _notes(page, form, annotation)
        finally:
            c.FPDFPage_CloseAnnot(annotation)


def _notes(
    page: pdfium.PdfPage, form: pdfium.PdfFormEnv | None, annotation: Handle
) -> Iterator[Note]:
    kind = c.FPDFAnnot_GetSubtype(annotation)
    rect = c.FS_RECTF()
    c.FPDFAnnot_GetRect(annotation, rect)
    place = rect.left, rect.bottom, rect.right, rect.top
    if kind == c.FPDF_ANNOT_WIDGET and form:
        yield from _values(form, annotation, place)
    elif kind == c.FPDF_ANNOT_LINK:
        url = _url(page, annotation)
        if url.startswith(("https://", "http://", "mailto:")):
            yield Note("", place, url=url.removeprefix("mailto:"))
    elif kind not in (c.FPDF_ANNOT_WIDGET, c.FPDF_ANNOT_POPUP):
        text = " ".join(_string(c.FPDFAnnot_GetStringValue, annotation, b"Contents").split())
        author = _string(c.FPDFAnnot_GetStringValue, annotation, b"T")
        if text and kind == c.FPDF_ANNOT_FREETEXT:
            yield Note(text, _first_line(place), is_value=True)
        elif text:
            yield Note(comment(author, text).text, place)


def _values(form: pdfium.PdfFormEnv, annotation: Handle, place: Place) -> Iterator[Note]:
    kind = c.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _TICKED:
        is_ticked = c.FPDFAnnot_IsChecked(form, annotation)
        yield Note("[x]" if is_ticked else "[ ]", place, is_value=True)
    elif kind in _TYPED and not c.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD:
        value = _string(c.FPDFAnnot_GetFormFieldValue, form, annotation)
        if value.strip():
            yield Note(" ".join(value.split()), _first_line(place), is_value=True)


def _first_line(place: Place) -> Place:
    left, bottom, right, top = place
    return (
        (left, bottom, right, top) if top - bottom < 2 * _LINE else (left, top - _LINE, right, top)
    )


def _url(page: pdfium.PdfPage, annotation: Handle) -> str:
    action = c.FPDFLink_GetAction(c.FPDFAnnot_GetLink(annotation))
    if not action or c.FPDFAction_GetType(action) != _URI:
        return ""
    size = c.FPDFAction_GetURIPath(page.pdf, action, None, 0)
    buffer = ctypes.create_string_buffer(size)
    c.FPDFAction_GetURIPath(page.pdf, action, buffer, size)
    return buffer.value.decode("utf-8", "replace").strip()


def _string(read: Callable[..., int], *of: Handle) -> str:
    """What one of PDFium's functions writes as UTF-16."""
    size = read(*of, None, 0)
    buffer = (c.FPDF_WCHAR * (size // 2 + 1))()
    read(*of, buffer, size)
    return bytes(buffer)[: max(size - 2, 0)].decode("utf-16-le", "replace")
