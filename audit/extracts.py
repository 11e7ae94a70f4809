"""Records in forms for people and their tools: JSON, CSV, XML. One row each, oldest first."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from audit.dicom import read_message
from audit.record import Coded, ParticipantObject, Record

# (sequence in the chain, None for one that is not sealed yet; AuditMessage)
Kept = tuple[int | None, bytes]

_COLUMNS = (
    *("sequence", "time", "event", "transaction", "action", "outcome", "description"),
    *("user", "user_name", "roles", "purposes", "address", "client", "patient", "objects"),
)


def as_json(kept: Iterable[Kept]) -> Iterator[str]:
    """An array of objects."""
    yield "["
    separator = "\n"
    for sequence, message in kept:
        yield separator + json.dumps(_row(sequence, read_message(message)), ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"


def as_csv(kept: Iterable[Kept]) -> Iterator[str]:
    """A header and a line each; several values of one column are separated by blanks. RFC 4180

    What a spreadsheet would take for a formula is quoted.
    """
    yield _line(_COLUMNS)
    for sequence, message in kept:
        row = _row(sequence, read_message(message))
        yield _line(_cell(row[name]) for name in _COLUMNS)


def as_xml(kept: Iterable[Kept]) -> Iterator[str]:
    """`AuditMessages` with every AuditMessage as it was kept."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n'
    for _, message in kept:
        yield message.decode() + "\n"
    yield "</AuditMessages>\n"


FORMS: Mapping[str, Callable[[Iterable[Kept]], Iterator[str]]] = {"json": as_json, "csv": as_csv, "xml": as_xml}


def _row(sequence: int | None, record: Record) -> dict[str, Any]:
    requestors = [one for one in record.participants if one.is_requestor]
    human = next((one for one in requestors if one.user_name), None)
    client = next((one for one in requestors if one is not human), None)
    person = human or client
    return {
        "sequence": sequence,
        "time": record.time,
        "event": record.event_id.text,
        "transaction": " ".join(one.code for one in record.type_codes),
        "action": str(record.action),
        "outcome": int(record.outcome),
        "description": record.description,
        "user": "" if person is None else person.user_id,
        "user_name": "" if human is None else human.user_name,
        "roles": [] if human is None else [_code(one) for one in human.roles],
        "purposes": [_code(one) for one in record.purposes],
        "address": "" if client is None else client.network,
        "client": "" if client is None else client.user_id,
        "patient": record.patient,
        "objects": [_named(one) for one in record.objects if not one.is_patient],
    }


def _code(one: Coded) -> str:
    return f"{one.code}^^{one.system}"


def _named(one: ParticipantObject) -> str:
    return f"{one.id_type.text}: {one.id}"


def _cell(value: Any) -> str:
    text = " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _line(values: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
