"""A record as the octets of an AuditMessage and back: written once, kept and sent as they are. DICOM PS3.15: A.5.1.

The message has no namespace and is one line. Characters that XML cannot carry become U+FFFD; where they stood in
the id of an object, the original octets are kept beside it.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from lxml import etree

from audit.record import Action, Coded, Detail, Outcome, Participant, ParticipantObject, Record, Source

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile('[&<>"\t\n\r]')
_TO_ESCAPE = re.compile(f"{_SPECIAL.pattern}|{_FORBIDDEN.pattern}")
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_APPLICATION_SERVER = "4"
ORIGINAL = "original octets"
# UserID and AuditSourceID are required and must say something.
NOBODY = "-"


def write_message(record: Record) -> bytes:
    """`AuditMessage` in UTF-8, on one line, for any text whatsoever."""
    inside = "".join(
        (
            _event(record),
            *map(_participant, record.participants),
            _source(record.source),
            *map(_object, record.objects),
        )
    )
    return f"<AuditMessage>{inside}</AuditMessage>".encode()


def clean(text: str) -> str:
    """Text that XML 1.0 can carry."""
    return _FORBIDDEN.sub("\ufffd", text)


def _escape(text: str) -> str:
    if _TO_ESCAPE.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], clean(text))


def _attributes(**values: str) -> str:
    return "".join(f' {name}="{_escape(value)}"' for name, value in values.items() if value)


@lru_cache(maxsize=1024)
def _coded(name: str, one: Coded) -> str:
    """All three attributes are required; a code without a text is its own text."""
    return (
        f'<{name} csd-code="{_escape(one.code)}" codeSystemName="{_escape(one.system)}" '
        f'originalText="{_escape(one.text or one.code)}"/>'
    )


def _event(record: Record) -> str:
    attributes = _attributes(
        EventActionCode=record.action, EventDateTime=record.time, EventOutcomeIndicator=str(int(record.outcome))
    )
    description = record.description
    return "".join(
        (
            f"<EventIdentification{attributes}>",
            _coded("EventID", record.event_id),
            *(_coded("EventTypeCode", one) for one in record.type_codes),
            f"<EventOutcomeDescription>{_escape(description)}</EventOutcomeDescription>" if description else "",
            *(_coded("PurposeOfUse", one) for one in record.purposes),
            "</EventIdentification>",
        )
    )


def _participant(one: Participant) -> str:
    attributes = _attributes(
        UserID=one.user_id or NOBODY,
        AlternativeUserID=one.alternative_user_id,
        UserName=one.user_name,
        UserIsRequestor="true" if one.is_requestor else "false",
        NetworkAccessPointID=one.network,
        NetworkAccessPointTypeCode=one.network_type if one.network else "",
    )
    roles = "".join(_coded("RoleIDCode", role) for role in one.roles)
    return f"<ActiveParticipant{attributes}>{roles}</ActiveParticipant>"


def _source(source: Source) -> str:
    attributes = _attributes(AuditEnterpriseSiteID=source.site, AuditSourceID=source.id or NOBODY)
    return (
        f"<AuditSourceIdentification{attributes}>"
        f'<AuditSourceTypeCode csd-code="{_APPLICATION_SERVER}"/></AuditSourceIdentification>'
    )


def _object(one: ParticipantObject) -> str:
    attributes = _attributes(
        ParticipantObjectID=one.id or NOBODY,
        ParticipantObjectTypeCode=one.type,
        ParticipantObjectTypeCodeRole=one.role,
        ParticipantObjectDataLifeCycle=one.life_cycle,
    )
    query = "" if one.query is None else f"<ParticipantObjectQuery>{_base64(one.query)}</ParticipantObjectQuery>"
    details = "".join(
        f'<ParticipantObjectDetail type="{_escape(detail.type)}" value="{_base64(detail.value)}"/>'
        for detail in _with_original(one)
    )
    id_type = _coded("ParticipantObjectIDTypeCode", one.id_type)
    return f"<ParticipantObjectIdentification{attributes}>{id_type}{query}{details}</ParticipantObjectIdentification>"


def _with_original(one: ParticipantObject) -> Iterator[Detail]:
    yield from one.details
    if _FORBIDDEN.search(one.id):
        yield Detail(ORIGINAL, one.id.encode(errors="surrogatepass"))


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


# --- reading -----------------------------------------------------------------------------------


def read_message(octets: bytes) -> Record:
    """The record that `write_message` wrote. Raises ValueError for anything else."""
    try:
        message = etree.fromstring(octets, _parser())
        event = _only(message, "EventIdentification")
        return Record(
            event_id=_read_coded(_only(event, "EventID")),
            action=Action(event.get("EventActionCode", "")),
            time=event.get("EventDateTime", ""),
            outcome=Outcome(int(event.get("EventOutcomeIndicator", ""))),
            type_codes=_all_coded(event, "EventTypeCode"),
            description=event.findtext("EventOutcomeDescription", ""),
            purposes=_all_coded(event, "PurposeOfUse"),
            participants=tuple(_read_participant(one) for one in message.iterchildren("ActiveParticipant")),
            source=_read_source(_only(message, "AuditSourceIdentification")),
            objects=tuple(_read_object(one) for one in message.iterchildren("ParticipantObjectIdentification")),
        )
    except (etree.XMLSyntaxError, LookupError) as problem:
        raise ValueError(f"not an AuditMessage: {type(problem).__name__}") from problem


def _parser() -> etree.XMLParser:
    """Our own messages may hold large queries; nothing outside is ever looked at."""
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, load_dtd=False)


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.find(name)
    if found is None:
        raise LookupError(name)
    return found


def _all_coded(parent: etree._Element, name: str) -> tuple[Coded, ...]:
    return tuple(_read_coded(one) for one in parent.iterchildren(name))


def _read_coded(element: etree._Element) -> Coded:
    return Coded(element.get("csd-code", ""), element.get("codeSystemName", ""), element.get("originalText", ""))


def _read_participant(element: etree._Element) -> Participant:
    return Participant(
        user_id=element.get("UserID", ""),
        alternative_user_id=element.get("AlternativeUserID", ""),
        user_name=element.get("UserName", ""),
        is_requestor=element.get("UserIsRequestor") == "true",
        roles=_all_coded(element, "RoleIDCode"),
        network=element.get("NetworkAccessPointID", ""),
        network_type=element.get("NetworkAccessPointTypeCode", ""),
    )


def _read_source(element: etree._Element) -> Source:
    return Source(id=element.get("AuditSourceID", ""), site=element.get("AuditEnterpriseSiteID", ""))


def _read_object(element: etree._Element) -> ParticipantObject:
    query = element.findtext("ParticipantObjectQuery")
    return ParticipantObject(
        id=element.get("ParticipantObjectID", ""),
        type=element.get("ParticipantObjectTypeCode", ""),
        role=element.get("ParticipantObjectTypeCodeRole", ""),
        life_cycle=element.get("ParticipantObjectDataLifeCycle", ""),
        id_type=_read_coded(_only(element, "ParticipantObjectIDTypeCode")),
        query=None if query is None else base64.b64decode(query),
        details=tuple(_read_details(element.iterchildren("ParticipantObjectDetail"))),
    )


def _read_details(elements: Iterable[etree._Element]) -> Iterator[Detail]:
    for element in elements:
        yield Detail(element.get("type", ""), base64.b64decode(element.get("value", "")))
