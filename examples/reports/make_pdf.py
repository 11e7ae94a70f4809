"""PDF/A-1b of the example reports, from their text, embedded in their CDA. ISO 19005-1

    python examples/reports/make_pdf.py [FONT.ttf]

writes, for each text beside it, the PDF into the CDA of the same name. Standard library only. The
font is embedded as a subset; by default DejaVu Sans, where Debian puts it. In the text, `# ` starts
a title, `## ` a heading, and an empty line a paragraph.
"""

import base64
import hashlib
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from true_type import Font, Metrics, subset

_FOLDER = Path(__file__).parent
_FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
_PAGE_WIDTH, _PAGE_HEIGHT, _MARGIN = 595, 842, 57
_ENCODING = "cp1252"  # WinAnsiEncoding
_EMBEDDED = re.compile(r'(mediaType="application/pdf" representation="B64">)[^<]*(<)')


@dataclass(frozen=True, slots=True)
class Style:
    """Size of the type, leading, and space above, in points."""

    size: int
    leading: int
    above: int


_STYLES = {"# ": Style(15, 20, 0), "## ": Style(11, 15, 10), "": Style(9, 13, 5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the document says of itself, in the two places PDF/A wants it: the catalogue and the XMP packet."""

    title: str
    author: str
    created: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page: its text, size and baseline."""

    text: str
    size: int
    baseline: int


def make_pdf(text: str, *, author: str, created: str, font: Font) -> bytes:
    """The PDF/A-1b of a text. `created` is `YYYYMMDDhhmmss+hhmm`; the same text and font give the same pages."""
    title = text.partition("\n")[0].removeprefix("# ")
    description = Description(title=title, author=author, created=created)
    cut = subset(font, set(text) - {"\n"} | {" "})
    pages = list(_pages(text, cut.metrics))
    objects = [
        _catalog(),
        _page_tree(len(pages)),
        _stream(_xmp(description), "/Type /Metadata /Subtype /XML"),
        _deflated(_gray_profile(), "/N 1"),
        _description(description),
        _font(cut.metrics),
        _descriptor(cut.metrics),
        _deflated(cut.program, f"/Length1 {len(cut.program)}"),
        *(each for number, page in enumerate(pages) for each in _page(page, number)),
    ]
    return _file(objects)


def _catalog() -> bytes:
    intent = (
        "<< /Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (Gray gamma 2.2) /DestOutputProfile 4 0 R >>"
    )
    return f"<< /Type /Catalog /Pages 2 0 R /Metadata 3 0 R /OutputIntents [{intent}] /Lang (fr-FR) >>".encode()


def _page_tree(count: int) -> bytes:
    kids = " ".join(f"{9 + 2 * number} 0 R" for number in range(count))
    return f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode()


def _page(lines: list[Line], number: int) -> Iterator[bytes]:
    yield (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_PAGE_WIDTH} {_PAGE_HEIGHT}]"
        f" /Resources << /Font << /F1 6 0 R >> >> /Contents {10 + 2 * number} 0 R >>"
    ).encode()
    yield _deflated(b"\n".join(_shown(line) for line in lines), "")


def _shown(line: Line) -> bytes:
    return f"BT /F1 {line.size} Tf {_MARGIN} {line.baseline} Td ".encode() + _string(line.text) + b" Tj ET"


def _string(text: str) -> bytes:
    return b"<" + text.encode(_ENCODING).hex().encode() + b">"


def _pages(text: str, metrics: Metrics) -> Iterator[list[Line]]:
    """The text in lines that fit, page after page."""
    page: list[Line] = []
    at = _PAGE_HEIGHT - _MARGIN
    for words, style, is_first in _wrapped(text, metrics):
        at -= style.leading + (style.above if is_first else 0)
        if at < _MARGIN:
            yield page
            page, at = [], _PAGE_HEIGHT - _MARGIN - style.leading
        page.append(Line(words, style.size, at))
    yield page


def _wrapped(text: str, metrics: Metrics) -> Iterator[tuple[str, Style, bool]]:
    """Each line with its style, and whether a paragraph starts there. A text keeps its own line breaks."""
    for is_blank, block in groupby(text.splitlines(), key=lambda line: not line.strip()):
        for number, line in enumerate(() if is_blank else block):
            mark = next(mark for mark in _STYLES if line.startswith(mark))
            for part, words in enumerate(_fitted(line.removeprefix(mark), _STYLES[mark].size, metrics=metrics)):
                yield words, _STYLES[mark], number == 0 and part == 0


def _fitted(line: str, size: int, *, metrics: Metrics) -> Iterator[str]:
    room = (_PAGE_WIDTH - 2 * _MARGIN) * 1000 // size
    fitted = ""
    for word in line.split():
        longer = f"{fitted} {word}".strip()
        if fitted and sum(metrics.widths[character] for character in longer) > room:
            yield fitted
            longer = word
        fitted = longer
    yield fitted


def _font(metrics: Metrics) -> bytes:
    characters = [bytes([code]).decode(_ENCODING, "replace") for code in range(32, 256)]
    widths = " ".join(str(metrics.widths.get(character, 0)) for character in characters)
    return (
        "<< /Type /Font /Subtype /TrueType /BaseFont /CARNET+DejaVuSans /Encoding /WinAnsiEncoding"
        f" /FirstChar 32 /LastChar 255 /Widths [{widths}] /FontDescriptor 7 0 R >>"
    ).encode()


def _descriptor(metrics: Metrics) -> bytes:
    box = " ".join(map(str, metrics.box))
    return (
        f"<< /Type /FontDescriptor /FontName /CARNET+DejaVuSans /Flags 32 /FontBBox [{box}] /ItalicAngle 0"
        f" /Ascent {metrics.ascent} /Descent {metrics.descent} /CapHeight 729 /StemV 80 /FontFile2 8 0 R >>"
    ).encode()


def _description(description: Description) -> bytes:
    """The same facts as the XMP packet: PDF/A wants them equal. ISO 19005-1 6.7.3"""
    fields = {"Title": description.title, "Author": description.author, "Producer": "Carnet examples"}
    written = "".join(f" /{name} ({_literal(value)})" for name, value in fields.items())
    created = f"{description.created[:17]}'{description.created[17:]}'"
    return f"<<{written} /CreationDate (D:{created}) >>".encode("latin-1")


def _literal(text: str) -> str:
    """A text string in UTF-16 with octal escapes: safe whatever it holds."""
    return "".join(f"\\{byte:03o}" for byte in b"\xfe\xff" + text.encode("utf-16-be"))


def _xmp(description: Description) -> bytes:
    title, author, created = (escape(text) for text in (description.title, description.author, description.created))
    date = (
        f"{created[:4]}-{created[4:6]}-{created[6:8]}T{created[8:10]}:{created[10:12]}:{created[12:17]}:{created[17:]}"
    )
    return f"""<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<xmp:CreateDate>{date}</xmp:CreateDate><pdf:Producer>Carnet examples</pdf:Producer>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


def _gray_profile() -> bytes:
    """An ICC profile of a gray display with gamma 2.2: all a black text needs. ICC.1:2001-04"""
    name = b"Gray gamma 2.2\0"
    tags = {
        b"cprt": b"text" + bytes(4) + b"No rights reserved\0",
        b"desc": b"desc" + bytes(4) + struct.pack(">L", len(name)) + name + bytes(78),
        b"kTRC": b"curv" + bytes(4) + struct.pack(">LH", 1, round(2.2 * 256)),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">lll", 0xF6D6, 0x10000, 0xD32D),
    }
    padded = {tag: value + bytes(-len(value) % 4) for tag, value in tags.items()}
    at = 128 + 4 + 12 * len(tags)
    directory = struct.pack(">L", len(tags))
    for tag, value in tags.items():
        directory += struct.pack(">4sLL", tag, at, len(value))
        at += len(padded[tag])
    header = struct.pack(">L4sL4s4s4s", at, bytes(4), 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">lll", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + directory + b"".join(padded.values())


def _stream(content: bytes, entries: str) -> bytes:
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def _deflated(content: bytes, entries: str) -> bytes:
    return _stream(zlib.compress(content, 9), f"{entries} /Filter /FlateDecode")


def _file(objects: list[bytes]) -> bytes:
    file, starts = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, start=1):
        starts.append(len(file))
        file += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    entries = "".join(f"{start:010} 00000 n \n" for start in starts)
    identity = hashlib.sha256(file).hexdigest()[:32]
    size = len(objects) + 1
    trailer = f"<< /Size {size} /Root 1 0 R /Info 5 0 R /ID [<{identity}> <{identity}>] >>"
    xref = f"xref\n0 {size}\n0000000000 65535 f \n{entries}trailer\n{trailer}\nstartxref\n{len(file)}\n%%EOF\n"
    return file + xref.encode()


def embed(pdf: bytes, cda: str) -> str:
    """The CDA with this PDF where its PDF stood. ValueError when there is no such place."""
    encoded = base64.encodebytes(pdf).decode()
    changed, count = _EMBEDDED.subn(rf"\g<1>\n{encoded}\g<2>", cda)
    if count != 1:
        raise ValueError("expected one element with mediaType application/pdf and representation B64")
    return changed


def _author_and_time(cda: str) -> tuple[str, str]:
    family, given = (re.search(rf"<assignedPerson>.*?<{part}>([^<]+)<", cda, re.DOTALL) for part in ("family", "given"))
    time = re.search(r'<effectiveTime value="(\d{14}[+-]\d{4})"', cda)
    if not (family and given and time):
        raise ValueError("expected an author with a name and an effectiveTime to the second")
    return f"{given[1]} {family[1]}", time[1]


def main(arguments: list[str]) -> None:
    font = Font(Path(arguments[0] if arguments else _FONT).read_bytes())
    for text in sorted(_FOLDER.glob("*.txt")):
        report = text.with_suffix(".xml")
        cda = report.read_text(encoding="utf-8")
        author, created = _author_and_time(cda)
        pdf = make_pdf(text.read_text(encoding="utf-8"), author=author, created=created, font=font)
        report.write_text(embed(pdf, cda), encoding="utf-8")
        print(f"{report.name}: PDF/A-1b of {len(pdf)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
