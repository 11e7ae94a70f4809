"""Bodies of documents without structure, in every media type of the French profile: valid and small. CI-SIS 3.5"""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.population.structured import Model, models
from conformance.population.value_sets import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A media type, its formatCode, and how lines of text are written in it; with a model, the body has sections."""

    media_type: str
    format_code: str
    format_system: str
    write: Callable[[tuple[str, ...]], bytes]
    model: Model | None = None


def plain_text(lines: tuple[str, ...]) -> bytes:
    return "\n".join(lines).encode("utf-8")


def rich_text(lines: tuple[str, ...]) -> bytes:
    body = r"\par ".join(_rich(line) for line in lines)
    return (r"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}\f0\fs22 " + body + "}").encode("ascii")


def _rich(line: str) -> str:
    escaped = line.replace("\\", r"\\").replace("{", r"\{").replace("}", r"\}")
    return "".join(one if ord(one) < 128 else rf"\u{ord(one)}?" for one in escaped)


def pdf(lines: tuple[str, ...]) -> bytes:
    """One page in a standard font. It is no PDF/A: fonts are not in it."""
    shown = " T* ".join(f"({_pdf_text(line)}) Tj" for line in lines)
    page = zlib.compress(f"BT /F1 11 Tf 56 780 Td 15 TL {shown} ET".encode("cp1252", "replace"), 9)
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
        b"/Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(page), page),
    )
    octets, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(octets))
        octets += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(octets))
    return octets + head + table + trailer


def _pdf_text(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def tiff(lines: tuple[str, ...]) -> bytes:
    """A grey picture, a bar for each line as long as its text. TIFF 6.0, baseline, uncompressed"""
    width, height, rows = 160, 8 * len(lines) + 8, []
    for line in lines:
        bar = min(len(line), width)
        rows += [b"\xff" * width] * 3 + [b"\x40" * bar + b"\xff" * (width - bar)] * 5
    pixels = b"".join(rows) + b"\xff" * width * (height - len(rows))
    tags = (
        *((256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 122)),
        *((277, 3, 1), (278, 3, height), (279, 4, len(pixels))),
    )
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0").ljust(122, b"\0") + pixels


def jpeg(lines: tuple[str, ...]) -> bytes:
    """A grey square of 8 points, the text in a comment. ITU-T T.81, baseline, one code for each table"""
    comment = "\n".join(lines).encode("utf-8")[:60_000]

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    return b"".join(
        (
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            segment(0xFE, comment),
            segment(0xDB, b"\0" + b"\x01" * 64),
            segment(0xC0, struct.pack(">BHHB", 8, 8, 8, 1) + b"\x01\x11\0"),
            segment(0xC4, b"\x00\x01" + b"\0" * 15 + b"\0"),
            segment(0xC4, b"\x10\x01" + b"\0" * 15 + b"\0"),
            segment(0xDA, b"\x01\x01\0\0\x3f\0"),
            b"\x3f",
            b"\xff\xd9",
        )
    )


_WRITERS: Mapping[str, Callable[[tuple[str, ...]], bytes]] = {
    "application/pdf": pdf,
    "text/plain": plain_text,
    "text/rtf": rich_text,
    "image/jpeg": jpeg,
    "image/tiff": tiff,
}


def forms() -> tuple[Form, ...]:
    """Every media type for which the association of media types has a formatCode. ASS_A12"""
    return tuple(
        Form(
            media_type=row["source"],
            format_code=row["code"],
            format_system=row["system"],
            write=_WRITERS[row["source"]],
        )
        for row in rows("ASS_A12")
        if row["source"] in _WRITERS
    )


def structured_forms() -> tuple[tuple[str, Form], ...]:
    """The type code and the form of each model."""
    return tuple((one.type_code, _structured(one)) for one in models())


def _structured(model: Model) -> Form:
    code, system = model.format_code
    return Form(media_type="text/plain", format_code=code, format_system=system, write=plain_text, model=model)
