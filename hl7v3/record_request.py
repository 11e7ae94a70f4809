"""A record is to be created, changed or closed: PRPA_IN201311UV02, PRPA_IN201314UV02. DMP 3 (TD1.1 to TD1.4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree

from hl7v3.acknowledgement import write_answer, write_application_acknowledgement
from hl7v3.person import UNKNOWN, Person, read_person
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, Transmission, found, identifiers, name_of

_GDP = "asip:ci-sis:gdp:2010"
_REQUEST = "controlActProcess/subject/registrationRequest"
_PATIENT = f"{_REQUEST}/subject1/patient"
_AUTHOR = f"{_REQUEST}/author/assignedEntity"
_ISSUE = "controlActProcess/reasonOf/detectedIssueEvent"


class Interaction(StrEnum):
    """The requests; the name of the body element."""

    CREATE = "PRPA_IN201311UV02"
    REVISE = "PRPA_IN201314UV02"


class Act(StrEnum):
    """What is asked for: the reasonCode. DMP 3"""

    CREATE = "CREA_RD"
    REACTIVATE = "REAC"
    CHANGE = "MODIF_DATA"
    CLOSE = "FERM"


_ACTS: Mapping[Interaction, tuple[Act, ...]] = {
    Interaction.CREATE: (Act.CREATE,),
    Interaction.REVISE: (Act.REACTIVATE, Act.CHANGE, Act.CLOSE),
}
# Request -> answer when it is done, answer when it is refused.
_ANSWERS: Mapping[Interaction, tuple[str, str]] = {
    Interaction.CREATE: ("PRPA_IN201312UV02", "PRPA_IN201313UV02"),
    Interaction.REVISE: ("PRPA_IN201315UV02", "PRPA_IN201316UV02"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks in the message: PS_IdNat, names, Struct_IdNat. DMP 8.5"""

    identifier: str = ""
    person: Person = UNKNOWN
    structure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """One request about one record.

    `observations` are consents and oppositions by their code, such as OPPOSITION_BRIS_DE_GLACE; `contacts` what
    other sources say of the person, by code, such as CARTE_SESAM_VITALE. `reason` and `text` say why it is closed.
    """

    interaction: Interaction
    act: Act | None = None
    patient: tuple[InstanceIdentifier, ...] = ()
    person: Person = UNKNOWN
    observations: Mapping[str, bool]
    contacts: Mapping[str, Person]
    requester: Requester = Requester()
    reason: str = ""
    text: str = ""
    details: tuple[Detail, ...] = ()


def read_record_request(message: etree._Element) -> RecordRequest:
    """Read one request; everything wrong with its form is a detail."""
    interaction = Interaction(etree.QName(message).localname)
    reasons = [(one.get("code") or "").strip() for one in found(message, "controlActProcess/reasonCode")]
    patients = found(message, _PATIENT)
    details = list(_rules(interaction, reasons, len(patients)))
    observations = dict(_observations(message, details))
    people = found(message, f"{_PATIENT}/patientPerson")
    return RecordRequest(
        interaction=interaction,
        act=Act(reasons[0]) if not details and reasons else None,
        patient=identifiers(message, f"{_PATIENT}/id"),
        person=read_person(people[0] if people else None),
        observations=observations,
        contacts=dict(_contacts(message)),
        requester=_requester(message),
        reason=next((one.get("code") or "" for one in found(message, f"{_ISSUE}/code")), ""),
        text=next(
            (" ".join("".join(map(str, one.itertext())).split()) for one in found(message, f"{_ISSUE}/text")), ""
        ),
        details=tuple(details),
    )


def _rules(interaction: Interaction, reasons: Sequence[str], patients: int) -> Iterator[Detail]:
    expected = _ACTS[interaction]
    if len(reasons) != 1 or reasons[0] not in expected:
        shown = ", ".join(map(repr, reasons)) or "none"
        text = f"reasonCode: found {shown}, expected {' or '.join(expected)}"
        yield Detail(code=DetailCode.SYNTAX, text=text, location="controlActProcess/reasonCode")
    if patients != 1:
        yield Detail(
            code=DetailCode.SYNTAX, text=f"found {patients} of patient, expected exactly one", location=_PATIENT
        )


def _observations(message: etree._Element, details: list[Detail]) -> Iterator[tuple[str, bool]]:
    """Consents and oppositions; a value that is no boolean is a detail."""
    path = f"{_PATIENT}/subjectOf/administrativeObservation"
    for one in found(message, path):
        code, value = (one.find(name_of(tag)) for tag in ("code", "value"))
        name = "" if code is None else (code.get("code") or "").strip()
        given = None if value is None else value.get("value")
        if given in ("true", "false", "1", "0"):
            yield name, given in ("true", "1")
        else:
            text = f"{name or 'administrativeObservation'}: found the value {given!r}, expected true or false"
            details.append(Detail(code=DetailCode.SYNTAX, text=text, location=f"{path}/value"))


def _contacts(message: etree._Element) -> Iterator[tuple[str, Person]]:
    for one in found(message, f"{_PATIENT}/patientPerson/contactParty"):
        code = one.find(name_of("code"))
        if code is not None and code.get("code"):
            yield str(code.get("code")), read_person(one.find(name_of("contactPerson")))


def _requester(message: etree._Element) -> Requester:
    ids = identifiers(message, f"{_AUTHOR}/id")
    structures = identifiers(message, f"{_AUTHOR}/representedOrganization/id")
    people = found(message, f"{_AUTHOR}/assignedPerson")
    return Requester(
        identifier=ids[0].extension if ids else "",
        person=read_person(people[0] if people else None),
        structure=structures[0].extension if structures else "",
    )


def write_request_answer(
    transmission: Transmission, request: RecordRequest, details: Sequence[Detail] = (), *, now: str
) -> bytes:
    """Done, or refused with its details; wrapped as the DMP wraps it. DMP W19"""
    interaction = request.interaction
    name = _ANSWERS[interaction][1 if details else 0]
    act = f'<reasonCode code="{request.act}" codeSystem="1.2.250.1.213.1.1.4.11"/>' if request.act else ""
    body = (
        f"{write_application_acknowledgement(transmission, details)}"
        f'<controlActProcess classCode="CACT" moodCode="EVN">{act}</controlActProcess>'
    )
    answer = write_answer(name, transmission, body, now=now)
    return f'<{interaction}_Response xmlns="{_GDP}">{answer}</{interaction}_Response>'.encode()
