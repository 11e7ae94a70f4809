"""The answer to a message of HL7 version 2. ITI TF-2x: C.2.3."""

from collections.abc import Sequence
from uuid import uuid4

from registry.hl7v2 import AcknowledgementCode, Finding, Header
from registry.hl7v2_text import escape

STANDARD_VERSION = "2.3.1"


def write_ack(
    header: Header, code: AcknowledgementCode, findings: Sequence[Finding] = (), *, now: str, note: str = ""
) -> bytes:
    """ACK to the message with this header; `now` is 14 digits, UTC; `note` is for people. ITI TF-2x: C.2.3"""
    event = f"^{escape(header.event)}" if header.event else ""
    msh = (
        "MSH",
        "^~\\&",
        escape(header.receiving_application),
        escape(header.receiving_facility),
        escape(header.sending_application),
        escape(header.sending_facility),
        f"{now}+0000",
        "",
        f"ACK{event}",
        uuid4().hex[:20],
        escape(header.processing_id) or "P",
        escape(header.version) or STANDARD_VERSION,
        *([""] * 5 + [escape(header.character_set)] if header.character_set else []),
    )
    msa = ["MSA", code, escape(header.control_id)]
    text = "; ".join(finding.reason for finding in findings) or note
    if text:
        msa.append(escape(text))
    segments = ["|".join(msh), "|".join(msa)]
    if findings:
        segments.append("ERR|" + "~".join(_finding(finding) for finding in findings))
    return ("\r".join(segments) + "\r").encode(header.codec, "replace")


def _finding(finding: Finding) -> str:
    """Segment, sequence, field, and the code with its text. HL7 2.3.1 2.24.5.1"""
    location = (finding.location + "^^^").split("^")[:3]
    return "^".join([*location, f"{finding.problem}&{escape(finding.reason)}&HL70357"])
