"""Small files of every format, written by hand so that tests see what is in them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence

import pypdf

_OFFICE = "http://schemas.openxmlformats.org"
_RELATIONS = f"{_OFFICE}/officeDocument/2006/relationships"
_DRAWN = (
    f'xmlns:a="{_OFFICE}/drawingml/2006/main" xmlns:c="{_OFFICE}/drawingml/2006/chart" '
    f'xmlns:wp="{_OFFICE}/drawingml/2006/wordprocessingDrawing" '
    f'xmlns:m="{_OFFICE}/officeDocument/2006/math" xmlns:dgm="{_OFFICE}/drawingml/2006/diagram" '
    f'xmlns:mc="{_OFFICE}/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml"'
)
_TYPES = (
    f'<Types xmlns="{_OFFICE}/package/2006/content-types">'
    '<Default Extension="rels" ContentType='
    '"application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_PAGE = "/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return buffer.getvalue()


def word(body: str, **parts: str) -> bytes:
    """A Word file of this XML; each further part is named as its kind, its id is the same."""
    kinds = {name: name.rstrip("0123456789") for name in parts}
    names = f'xmlns:w="{_OFFICE}/wordprocessingml/2006/main" xmlns:r="{_RELATIONS}" {_DRAWN}'
    roots = {"header": "hdr", "footer": "ftr"}
    files = {}
    for name, xml in parts.items():
        root = roots.get(kinds[name], name)
        files[f"word/{name}.xml"] = f"<w:{root} {names}>{xml}</w:{root}>"
    files["word/_rels/document.xml.rels"] = _relations(
        [(name, kind, f"{name}.xml") for name, kind in kinds.items()]
    )
    main = f"<w:document {names}><w:body>{body}</w:body></w:document>"
    return _office("word/document.xml", main, files)


def docx(paragraphs: Sequence[tuple[str | None, str]]) -> bytes:
    """A Word file of (style or None, text) paragraphs."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style or "Normal"}"/></w:pPr>'
        f"<w:r><w:t>{text}</w:t></w:r></w:p>"
        for style, text in paragraphs
    )
    main = f'<w:document xmlns:w="{_OFFICE}/wordprocessingml/2006/main"><w:body>{body}</w:body>'
    return _office("word/document.xml", f"{main}</w:document>")


def pptx(slides: Sequence[tuple[str, str]]) -> bytes:
    """A presentation of (title, text) slides."""
    namespaces = (
        f'xmlns:a="{_OFFICE}/drawingml/2006/main" xmlns:r="{_RELATIONS}" '
        f'xmlns:p="{_OFFICE}/presentationml/2006/main"'
    )
    shape = (
        '<p:sp><p:nvSpPr><p:cNvPr id="{id}" name="s"/><p:cNvSpPr/><p:nvPr><p:ph {kind}/></p:nvPr>'
        "</p:nvSpPr><p:spPr/><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    numbers = range(1, len(slides) + 1)
    listed = "".join(f'<p:sldId id="{255 + n}" r:id="r{n}"/>' for n in numbers)
    files = {
        "ppt/_rels/presentation.xml.rels": _relations(
            [(f"r{n}", "slide", f"slides/slide{n}.xml") for n in numbers]
        )
    }
    for number, (title, text) in enumerate(slides, 1):
        shapes = shape.format(id=2, kind='type="title"', text=title)
        shapes += shape.format(id=3, kind='idx="1"', text=text)
        files[f"ppt/slides/slide{number}.xml"] = (
            f"<p:sld {namespaces}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        )
    main = f"<p:presentation {namespaces}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    return _office("ppt/presentation.xml", main, files)


def deck(slides: Sequence[str], *, hidden: Sequence[int] = (), **beside: str) -> bytes:
    """A presentation of slides of these shapes, of 1000 by 500.

    Further parts belong to the first slide, by kind; it may refer to https://x.example as `l`.
    """
    names = f'xmlns:p="{_OFFICE}/presentationml/2006/main" xmlns:r="{_RELATIONS}" {_DRAWN}'
    numbers = range(1, len(slides) + 1)
    listed = "".join(f'<p:sldId id="{255 + n}" r:id="r{n}"/>' for n in numbers)
    parts = [(f"r{n}", "slide", f"slides/slide{n}.xml") for n in numbers]
    files = {
        "ppt/_rels/presentation.xml.rels": _relations([*parts, ("a", "commentAuthors", "a.xml")]),
        "ppt/a.xml": f'<p:cmAuthorLst {names}><p:cmAuthor id="0" name="Bo"/></p:cmAuthorLst>',
        "ppt/slides/_rels/slide1.xml.rels": _relations(
            [*((k, k, f"{k}.xml") for k in beside), ("l", "hyperlink", "https://x.example")]
        ),
    }
    for kind, xml in beside.items():
        files[f"ppt/slides/{kind}.xml"] = f"<p:{kind} {names}>{xml}</p:{kind}>"
    for n, shapes in enumerate(slides, 1):
        tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
        start = f'<p:sld {names} show="{n not in hidden:d}">'
        files[f"ppt/slides/slide{n}.xml"] = f"{start}{tree}</p:sld>"
    main = f"<p:presentation {names}><p:sldIdLst>{listed}</p:sldIdLst>"
    main += '<p:sldSz cx="1000" cy="500"/></p:presentation>'
    return _office("ppt/presentation.xml", main, files)


def xlsx(sheet: str, rows: Sequence[Sequence[str]]) -> bytes:
    """A workbook of one sheet."""
    namespace = f'xmlns="{_OFFICE}/spreadsheetml/2006/main" xmlns:r="{_RELATIONS}"'
    cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    files = {
        "xl/_rels/workbook.xml.rels": _relations([("r1", "worksheet", "worksheets/sheet1.xml")]),
        "xl/worksheets/sheet1.xml": (
            f"<worksheet {namespace}><sheetData>{cells}</sheetData></worksheet>"
        ),
    }
    sheets = f'<sheets><sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets>'
    return _office("xl/workbook.xml", f"<workbook {namespace}>{sheets}</workbook>", files)


def workbook(
    sheets: dict[str, str],
    *,
    hidden: Sequence[str] = (),
    formats: Sequence[str] = (),
    comment: str = "",
    styles: str = "",
    link: str = "",
) -> bytes:
    """A workbook of sheets of this XML; formats are numbered from 1, Bo's comment is on A1.

    `styles` are fonts and fills, of which the style after the formats has the second ones. The
    first sheet may refer to `link` as `l`.
    """
    namespace = f'xmlns="{_OFFICE}/spreadsheetml/2006/main" xmlns:r="{_RELATIONS}"'
    names = list(sheets)
    states = ["hidden" if name in hidden else "visible" for name in names]
    listed = "".join(
        f'<sheet name="{name}" r:id="r{n}" state="{states[n]}"/>' for n, name in enumerate(names)
    )
    parts = [(f"r{n}", "worksheet", f"worksheets/s{n}.xml") for n in range(len(names))]
    told = "".join(
        f'<numFmt numFmtId="{200 + n}" formatCode="{f}"/>' for n, f in enumerate(formats)
    )
    used = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(formats)))
    files = {
        "xl/_rels/workbook.xml.rels": _relations([*parts, ("s", "styles", "styles.xml")]),
        "xl/styles.xml": f"<styleSheet {namespace}><numFmts>{told}</numFmts>"
        f"{styles}<cellXfs><xf/>{used}<xf fontId='1' fillId='1'/></cellXfs></styleSheet>",
        "xl/worksheets/_rels/s0.xml.rels": _relations(
            [("c", "comments", "../comments.xml"), ("l", "hyperlink", link)]
        ),
        "xl/comments.xml": f"<comments {namespace}><authors><author>Bo</author></authors>"
        f'<comment ref="A1" authorId="0"><text><t>{comment}</t></text></comment></comments>',
    }
    for n, name in enumerate(names):
        files[f"xl/worksheets/s{n}.xml"] = f"<worksheet {namespace}>{sheets[name]}</worksheet>"
    return _office(
        "xl/workbook.xml", f"<workbook {namespace}><sheets>{listed}</sheets></workbook>", files
    )


def epub(title: str, chapter: str) -> bytes:
    """A book of one XHTML chapter."""
    return book([chapter], title=title)


def book(
    chapters: Sequence[str], *, title: str = "", contents: str = "", encryption: str = ""
) -> bytes:
    """A book of XHTML chapters; what is empty is left out of the archive."""
    names = [f"c{n}.xhtml" for n in range(len(chapters))]
    items = [
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in names
    ]
    items.append('<item id="nav" href="nav.xhtml" properties="nav"/>')
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    pages = {**dict(zip(names, chapters, strict=True)), "nav.xhtml": contents}
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="book.opf" '
            'media-type="application/oebps-package+xml"/></rootfiles></container>'
        ),
        "META-INF/encryption.xml": encryption,
        "book.opf": (
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f'<dc:title>{title}</dc:title><dc:identifier id="i">i</dc:identifier></metadata>'
            f"<manifest>{''.join(items)}</manifest><spine>{spine}</spine></package>"
        ),
    }
    for name, body in pages.items():
        start = '<html xmlns="http://www.w3.org/1999/xhtml"><body>'
        files[name] = f"{start}{body}</body></html>" if body else ""
    return archive({name: text for name, text in files.items() if text})


def open_document(
    kind: str, body: str, *, styles: str = "", pages: str = "", **objects: str
) -> bytes:
    """An OpenDocument file, `kind` text, spreadsheet or presentation; objects are parts of it."""
    names = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (
            *((name, name) for name in ("office", "text", "table", "style", "presentation")),
            ("draw", "drawing"),
            ("svg", "svg-compatible"),
        )
    )
    names += (
        ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    return archive(
        {
            "content.xml": f"<office:document-content {names}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {names}>{pages}</office:document-styles>",
            **{f"{name}/content.xml": xml for name, xml in objects.items()},
        }
    )


Tree = dict[str, "bytes | Tree"]


def ole(tree: Tree) -> bytes:
    """A compound file of streams and storages; streams end in NUL up to 4096 bytes."""
    entries: list[bytes] = []
    sectors: list[bytes] = []
    chains: list[list[int]] = []

    def add(name: str, content: bytes | Tree, following: int) -> int:
        place = len(entries)
        entries.append(b"")
        kind, child, start, size = 5 if not place else 1, 0xFFFFFFFF, 0, 0
        if isinstance(content, dict):
            for own, inner in content.items():
                child = add(own, inner, child)
        else:
            data = content.ljust(4096, b"\0")
            kind, start, size = 2, len(sectors), len(data)
            sectors.extend(data[n : n + 512].ljust(512, b"\0") for n in range(0, size, 512))
            chains.append([*range(start, len(sectors))])
        told = (name + "\0").encode("utf-16-le")
        entries[place] = struct.pack(
            "<64sHBBIII16sIQQIQ", told, len(told), kind, 1, 0xFFFFFFFF, following, child,
            b"", 0, 0, 0, start, size,
        )  # fmt: skip
        return place

    add("Root Entry", tree, 0xFFFFFFFF)
    entries[0] = entries[0][:116] + struct.pack("<IQ", 0xFFFFFFFE, 0)
    listed = b"".join(entries).ljust(-(-len(entries) // 4) * 512, b"\0")
    first = len(sectors)
    sectors += [listed[n : n + 512] for n in range(0, len(listed), 512)]
    chains.append([*range(first, len(sectors))])
    tables = -(-(len(sectors) + 1) // 127)
    table = [0xFFFFFFFF] * (tables * 128)
    for chain in chains:
        for place, after in zip(chain, [*chain[1:], 0xFFFFFFFE], strict=True):
            table[place] = after
    fat = [*range(len(sectors), len(sectors) + tables)]
    for place in fat:
        table[place] = 0xFFFFFFFD
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 62, 3, 0xFFFE,
        9, 6, b"", 0, tables, first, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
    )  # fmt: skip
    header += b"".join(struct.pack("<I", place) for place in fat).ljust(436, b"\xff")
    return header + b"".join(sectors) + struct.pack(f"<{len(table)}I", *table)


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF of pages of lines, in Latin letters."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, lines in enumerate(pages):
        shown = " T* ".join(f"({line}) Tj" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 72 760 Td {shown} ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R {_PAGE} /Contents {5 + 2 * n} 0 R >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    return numbered(objects)


def encrypted(data: bytes, password: str) -> bytes:
    """A PDF that only opens with the password."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(password, algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def numbered(objects: Sequence[str]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out = "%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{out}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    ).encode("latin-1")


def _office(main: str, xml: str, files: dict[str, str] | None = None) -> bytes:
    return archive(
        {
            "[Content_Types].xml": _TYPES,
            "_rels/.rels": _relations([("r1", "officeDocument", main)]),
            main: xml,
            **(files or {}),
        }
    )


def _relations(rows: Sequence[tuple[str, str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{id_}" Type="{_RELATIONS}/{kind}" Target="{target}"'
        f" TargetMode='{'External' if '://' in target else 'Internal'}'/>"
        for id_, kind, target in rows
    )
    return f'<Relationships xmlns="{_OFFICE}/package/2006/relationships">{listed}</Relationships>'
