"""Does a record exist, what is known of its person: PRPA_IN201307UV02, PRPA_IN201308UV02. DMP 3 (TD0.2, TD1.3a)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from hl7v3.acknowledgement import write_answer, write_application_acknowledgement
from hl7v3.person import UNKNOWN, Person, write_person
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, Transmission, found, identifiers

INTERACTION, ANSWER = "PRPA_IN201307UV02", "PRPA_IN201308UV02"
REASONS = "1.2.250.1.213.1.1.4.11"
_KEYWORDS = "1.2.250.1.213.4.1.2.6.1"
_QUERY = "controlActProcess/queryByParameter"


class Reason(StrEnum):
    """What a query is for. DMP 3"""

    EXISTENCE = "TEST_EXST"
    DATA = "CNSLT_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuery:
    """One question about one record; `query` is what the answer repeats."""

    reason: str = ""
    patient: tuple[InstanceIdentifier, ...] = ()
    query: InstanceIdentifier | None = None
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """A keyword with its value: a code of a system, or a boolean. DMP 3 (TD0.2)"""

    keyword: str
    code: str = ""
    code_system: str = ""
    boolean: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """An administrative observation of a record: an opposition, an attachment. DMP 3 (TD1.1)"""

    code: str
    code_system: str
    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFound:
    """What an answer says of a record. `closed` is when, why (code) and in which words, where it is closed."""

    ids: tuple[InstanceIdentifier, ...]
    is_active: bool
    person: Person = UNKNOWN
    observations: tuple[Observation, ...] = ()
    representatives: tuple[Person, ...] = ()
    closed: tuple[str, str, str] | None = None


def read_record_query(message: etree._Element) -> RecordQuery:
    """Read PRPA_IN201307UV02; more than one patient, or none, is a detail."""
    patient = identifiers(message, f"{_QUERY}/parameterList/patientIdentifier/value")
    reasons = [(one.get("code") or "").strip() for one in found(message, "controlActProcess/reasonCode")]
    queries = identifiers(message, f"{_QUERY}/queryId")
    return RecordQuery(
        reason=reasons[0] if len(reasons) == 1 else "",
        patient=patient,
        query=queries[0] if queries else None,
        details=tuple(_rules(patient, reasons)),
    )


def _rules(patient: Sequence[InstanceIdentifier], reasons: Sequence[str]) -> Iterator[Detail]:
    if len(reasons) != 1 or reasons[0] not in set(Reason):
        shown = ", ".join(map(repr, reasons)) or "none"
        text = f"reasonCode: found {shown}, expected {' or '.join(Reason)}"
        yield Detail(code=DetailCode.SYNTAX, text=text, location="controlActProcess/reasonCode")
    if len(patient) != 1:
        path = f"{_QUERY}/parameterList/patientIdentifier/value"
        text = f"patientIdentifier/value: found {len(patient)}, expected exactly one"
        yield Detail(code=DetailCode.SYNTAX, text=text, location=path)


def write_record_answer(
    transmission: Transmission,
    query: RecordQuery,
    record: RecordFound | None,
    *,
    attention: Iterable[Attention] = (),
    details: Sequence[Detail] = (),
    now: str,
) -> bytes:
    """PRPA_IN201308UV02: `AA` with what was found, or `AE` with the details. `now` is 14 digits, UTC."""
    outcome = "AE" if details else "OK" if record is not None else "NF"
    subject = "" if record is None or details else _subject(record)
    body = (
        f"{''.join(map(_attention, attention))}"
        f"{write_application_acknowledgement(transmission, details)}"
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        f'<reasonCode code={quoteattr(query.reason)} codeSystem="{REASONS}"/>{subject}'
        f'<queryAck>{_query_id(query)}<queryResponseCode code="{outcome}"/></queryAck>'
        f"<queryByParameter>{_query_id(query)}<statusCode code='new'/><parameterList>{_asked(query)}</parameterList>"
        "</queryByParameter></controlActProcess>"
    )
    return write_answer(ANSWER, transmission, body, now=now).encode()


def _subject(record: RecordFound) -> str:
    status = "active" if record.is_active else "terminated"
    ids = "".join(f"<id root={quoteattr(one.root)} extension={quoteattr(one.extension)}/>" for one in record.ids)
    closed = "" if record.closed is None else f"<effectiveTime value={quoteattr(record.closed[0])}/>"
    return (
        '<subject typeCode="SUBJ" contextConductionInd="false"><registrationEvent classCode="REG" moodCode="EVN">'
        f'<statusCode code="{"active" if record.is_active else "completed"}"/>{closed}'
        f'<subject1 typeCode="SBJ"><patient classCode="PAT">{ids}<statusCode code="{status}"/>'
        f"{write_person(record.person, record.representatives)}"
        f"{''.join(map(_observation, record.observations))}</patient></subject1>"
        f"</registrationEvent></subject>{_closing(record)}"
    )


def _closing(record: RecordFound) -> str:
    if record.closed is None:
        return ""
    _, code, text = record.closed
    return (
        '<reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN">'
        f'<code code={quoteattr(code)} codeSystem="1.2.250.1.213.4.1.2.4"/><text>{escape(text)}</text>'
        "</detectedIssueEvent></reasonOf>"
    )


def _observation(one: Observation) -> str:
    return (
        '<subjectOf typeCode="SBJ"><administrativeObservation classCode="OBS" moodCode="EVN">'
        f'<code code={quoteattr(one.code)} codeSystem={quoteattr(one.code_system)}/><value value="{_bool(one.value)}"/>'
        "</administrativeObservation></subjectOf>"
    )


def _attention(one: Attention) -> str:
    if one.boolean is None:
        value = f"<value code={quoteattr(one.code)} codeSystem={quoteattr(one.code_system)}/>"
    else:
        value = f'<value value="{_bool(one.boolean)}"/>'
    keyword = f'<keyWordText code={quoteattr(one.keyword)} codeSystem="{_KEYWORDS}"/>'
    return f"<attentionLine>{keyword}{value}</attentionLine>"


def _query_id(query: RecordQuery) -> str:
    return _id("queryId", query.query or InstanceIdentifier(str(uuid4())))


def _asked(query: RecordQuery) -> str:
    values = "".join(_id("value", one) for one in query.patient)
    return f"<patientIdentifier>{values}<semanticsText>Patient.id</semanticsText></patientIdentifier>" if values else ""


def _id(tag: str, one: InstanceIdentifier) -> str:
    extension = f" extension={quoteattr(one.extension)}" if one.extension else ""
    return f"<{tag} root={quoteattr(one.root)}{extension}/>"


def _bool(value: bool) -> str:
    return "true" if value else "false"
