"""A CDA report of 140 kB, from the consultation report of the examples: another patient, another id, a longer PDF."""

import base64
import random
import re
from pathlib import Path

from carnet.reports import read_report
from xds.metadata import DocumentEntry

DOCUMENT_OCTETS = 140_000
_EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "reports" / "cr-consultation.xml"
_BODY = re.compile(rb'(representation="B64">)(.*?)(</text>)', re.DOTALL)
_ID = re.compile(rb'<id root="[^"]+"/>')
_SET_ID = re.compile(rb'<setId root="[^"]+"[^>]*/>')
_INS = re.compile(rb'(<id root="1\.2\.250\.1\.213\.1\.4\.10" extension=")\d+(")')


class ReportMaker:
    """Makes reports of exactly the given number of octets; what stands behind the end of a PDF is not shown."""

    def __init__(self, octets: int = DOCUMENT_OCTETS) -> None:
        self._octets = octets
        example = _EXAMPLE.read_bytes()
        body = _BODY.search(example)
        assert body is not None
        self._before, self._after = example[: body.end(1)], example[body.end(2) :]
        self._pdf = base64.b64decode(body[2]) + b"%"

    def content(self, *, unique_id: str, ins: str) -> bytes:
        """The report under this document id (an OID), the first of its set, for the patient with this INS."""
        before = _INS.sub(rf"\g<1>{ins}\2".encode(), self._before)
        before = _ID.sub(f'<id root="{unique_id}"/>'.encode(), before, count=1)
        before = _SET_ID.sub(f'<setId root="{unique_id}"/>'.encode(), before, count=1)
        room = self._octets - len(before) - len(self._after)
        body = self._body(room, unique_id)
        return before + body + b"\n" * (room - len(body)) + self._after

    def _body(self, room: int, unique_id: str) -> bytes:
        """base64 in lines of 76, at most `room` octets and hardly less."""
        octets = room // 77 * 57
        filler = random.Random(unique_id).randbytes(max(0, octets - len(self._pdf)))
        return base64.encodebytes(self._pdf + filler)[:room]

    def entry(self, content: bytes, *, entry_uuid: str) -> DocumentEntry:
        """Metadata of a report as its header gives them."""
        return read_report(content, entry_uuid=entry_uuid).entry
