"""Retrieve ATNA Audit Event [ITI-81]: who did what with a record, for those who may see its journal. RESTful ATNA 3.81.

The records are those of the audit trail, about one person; FHIR R4 AuditEvent, BALP.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from access_policy.caller import Caller
from audit import outbox
from audit.dicom import read_message
from audit.events import EVENTS
from audit.fhir import write_audit_event
from audit.outbox import Extract
from fhir_facade.operation_outcome import bad_request, not_found
from fhir_facade.patients import Patients
from fhir_facade.search_set import searchset_of
from fhir_facade.search_values import CONTROL, MAX_VALUES, read_token, split
from fhir_facade.searching import DEFAULT_COUNT, MAX_COUNT, number
from fhir_facade.times import search_range
from xds.datatypes import CX

# What a caller may read of a person's records, and the DTM they go back to; None for nothing.
SeenBy = Callable[[Any, Caller, str], tuple[Extract, str] | None]
_MICROSECOND = 10**6
_END = 1 << 62
_LONGEST_KEY = 19  # digits of what no longer fits 63 bits
_IGNORED = ("_format", "_pretty", "_count", "_after", "_total")
_DEFINITIONS = {"_id": "Resource-id", "patient.identifier": "Patient-identifier"}
_OUTCOMES = ("0", "4", "8", "12")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditParameter:
    """One search parameter of AuditEvent."""

    name: str
    type: str
    documentation: str

    @property
    def definition(self) -> str:
        return f"http://hl7.org/fhir/SearchParameter/{_DEFINITIONS.get(self.name, f'AuditEvent-{self.name}')}"


PARAMETERS = (
    AuditParameter(name="patient.identifier", type="token", documentation="the person, as system|identifier"),
    AuditParameter(name="patient", type="reference", documentation="the person, as a Patient of this server"),
    AuditParameter(name="date", type="date", documentation="when, with ge, gt, le, lt or the whole period"),
    AuditParameter(name="action", type="token", documentation="C, R, U, D or E"),
    AuditParameter(name="outcome", type="token", documentation="0 success, 4, 8, 12"),
    AuditParameter(name="subtype", type="token", documentation="the transaction, such as ITI-68"),
    AuditParameter(name="_id", type="token", documentation="logical id"),
)
_NAMES = tuple(one.name for one in PARAMETERS)


def only_own(connection: Any, caller: Caller, patient: str) -> tuple[Extract, str] | None:
    """Where no record says more: the caller's own actions on the patient of the proof, all of them for the open one."""
    if caller.is_open:
        return Extract(patients=(patient,)), ""
    if caller.credentials is None or caller.patient_id is None or caller.patient_id.key != patient:
        return None
    return Extract(patients=(patient,), caller=caller.name), ""


def handle(
    patients: Patients, seen_by: SeenBy, parameters: Sequence[tuple[str, str]], *, strict: bool = False
) -> bytes:
    """The searchset, newest first. Raises FhirProblem.

    `Bundle.total` is exact and counts what this caller may see.
    """
    size, after = number(parameters, "_count"), number(parameters, "_after")
    size = DEFAULT_COUNT if size is None else min(size, MAX_COUNT)
    applied = [one for one in parameters if one[0] in _NAMES]
    _check(parameters, strict=strict)
    patient, found, total = _patient(patients, applied), list[tuple[int, bytes]](), 0
    with patients.registry.units.read() as connection:
        chosen = None if patient is None else _chosen(connection, seen_by, patients.caller, patient.key, applied)
        if chosen is not None:
            total, found = _page(connection, chosen, patients.caller, before=after, limit=size + 1 if size else 0)
    shown = found[:size]
    return searchset_of(
        "AuditEvent",
        [(str(key), _resource(key, message)) for key, message in shown],
        total=total,
        base_url=patients.base_url,
        applied=applied,
        next_after=str(shown[-1][0]) if len(found) > size else "",
        count=size,
    )


def read(patients: Patients, seen_by: SeenBy, fhir_id: str) -> bytes:
    """One record about the person of the caller's proof, to the open caller about anybody. Raises FhirProblem 404."""
    caller = patients.caller
    if not fhir_id.isascii() or not fhir_id.isdigit() or len(fhir_id) >= _LONGEST_KEY:
        raise not_found()
    with patients.registry.units.read() as connection:
        about = outbox.patient_of(connection, int(fhir_id)) if caller.patient_id is None else caller.patient_id.key
        chosen = _chosen(connection, seen_by, caller, about, [("_id", fhir_id)]) if about else None
        found = [] if chosen is None else _page(connection, chosen, caller, before=None, limit=1)[1]
    if not found:
        raise not_found()
    return _resource(*found[0])


def _page(
    connection: Any, chosen: Any, caller: Caller, *, before: int | None, limit: int
) -> tuple[int, list[tuple[int, bytes]]]:
    """How many records there are in all, and some of them.

    A name that another issuer may have given too does not say whose a record is: each is looked at, all of one person.
    """
    if caller.credentials is None or caller.subject == caller.name:
        total = outbox.count(connection, chosen)
        return total, outbox.newest(connection, chosen, before=before, limit=limit) if limit else []
    signed = f"<{caller.name}@{caller.credentials.issuer}>"
    every = outbox.newest(connection, chosen, before=None, limit=outbox.count(connection, chosen))
    own = [one for one in every if _is_signed(one[1], signed)]
    return len(own), [one for one in own if before is None or one[0] < before][:limit]


def _is_signed(message: bytes, signed: str) -> bool:
    """Whether the person who asked is named so. ITI TF-2: 3.40.4.2"""
    return any(one.is_requestor and one.user_name.endswith(signed) for one in read_message(message).participants)


def _resource(key: int, message: bytes) -> bytes:
    resource = orjson.loads(write_audit_event(read_message(message)))
    return orjson.dumps({"resourceType": "AuditEvent", "id": str(key)} | resource)


def _check(parameters: Sequence[tuple[str, str]], *, strict: bool) -> None:
    for name, value in parameters:
        known = name in _NAMES or name in _IGNORED
        if not known and (strict or ":" in name or name.startswith("_")):
            raise bad_request(f"{name}: unknown search parameter", code="not-supported", expression=name)
        if name in _NAMES and (not value or CONTROL.search(value) or len(split(value)) > MAX_VALUES):
            raise bad_request(f"{name}: expected 1 to {MAX_VALUES} values", expression=name)


def _patient(patients: Patients, applied: Sequence[tuple[str, str]]) -> CX | None:
    """The person asked about; None where that is nobody, or two. Raises FhirProblem."""
    found = set[str]()
    asked = [(name, value) for name, value in applied if name.startswith("patient")]
    if not asked:
        raise bad_request("expected patient or patient.identifier", code="required", expression="patient")
    for name, value in asked:
        if name == "patient":
            one = patients.asked_for(value)
        else:
            token = read_token(value)
            one = patients.of_identifier(token.system or "", token.code)
        found.add("" if one is None else one.key)
    return CX(found.pop()) if len(found) == 1 and "" not in found else None


def _chosen(
    connection: Any, seen_by: SeenBy, caller: Caller, patient: str, applied: Sequence[tuple[str, str]]
) -> Any | None:
    """The conditions of a search within what the caller may see; None where that is nothing."""
    seen = seen_by(connection, caller, patient)
    if seen is None:
        return None
    extract, since = seen
    for name, value in applied:
        narrow = _NARROW.get(name)
        extract = extract if narrow is None else narrow(extract, value)
    return outbox.seen(connection, extract, since=_microseconds(since) if since else 0)


def _by_id(extract: Extract, text: str) -> Extract:
    keys = tuple(int(one) for one in split(text) if one.isascii() and one.isdigit() and len(one) < _LONGEST_KEY)
    return replace(extract, keys=keys if extract.keys is None else tuple(set(keys) & set(extract.keys)))


def _by_outcome(extract: Extract, text: str) -> Extract:
    codes = [read_token(one).code for one in split(text)]
    return replace(extract, outcomes=tuple(int(one) for one in codes if one in _OUTCOMES))


def _by_action(extract: Extract, text: str) -> Extract:
    codes = {read_token(one).code for one in split(text)}
    return _of_events(extract, {name for name, event in EVENTS.items() if event.action in codes})


def _by_subtype(extract: Extract, text: str) -> Extract:
    """The transaction, or the RESTful interaction that it is."""
    codes = {read_token(one).code for one in split(text)}
    return _of_events(extract, {name for name, one in EVENTS.items() if {one.type_code.code, one.rest} & codes})


def _of_events(extract: Extract, names: set[str]) -> Extract:
    return replace(extract, events=tuple(sorted(names if extract.events is None else names & set(extract.events))))


def _by_date(extract: Extract, text: str) -> Extract:
    """FHIR R4 3.1.1.4.7; several narrow further."""
    prefix, value = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
    try:
        first, after = (_microseconds(one) for one in search_range(value))
    except ValueError as problem:
        raise bad_request(f"date: {problem}", expression="date") from None
    bounds = {"eq": (first, after), "ge": (first, _END), "gt": (after, _END), "lt": (0, first), "le": (0, after)}
    if prefix not in bounds:
        raise bad_request(f"date: the prefix {prefix} is not supported", code="not-supported", expression="date")
    (start, stop), (low, high) = bounds[prefix], extract.recorded
    return replace(extract, recorded=(max(start, low), min(stop, high)))


def _microseconds(moment: str) -> int:
    """Of a DTM with 14 digits, UTC."""
    if moment > "9999":
        return _END
    return int(datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()) * _MICROSECOND


_NARROW: Mapping[str, Callable[[Extract, str], Extract]] = {
    "date": _by_date,
    "action": _by_action,
    "outcome": _by_outcome,
    "subtype": _by_subtype,
    "_id": _by_id,
}
