"""Find patients by their traits: PRPA_IN201305UV02 and PRPA_IN201306UV02. ITI TF-2: 3.47; DMP 3 (TD0.5)."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from uuid import uuid4
from xml.sax.saxutils import quoteattr

from lxml import etree

from hl7v3.acknowledgement import write_answer, write_details, write_target
from hl7v3.person import UNKNOWN, Person, read_person, write_person
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, Transmission, found, identifiers, name_of

INTERACTION, ANSWER = "PRPA_IN201305UV02", "PRPA_IN201306UV02"
_QUERY = "controlActProcess/queryByParameter"
_PARAMETERS = f"{_QUERY}/parameterList"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientSearch:
    """What is known of who is looked for; `query` is what the answer repeats."""

    traits: Person = UNKNOWN
    query: InstanceIdentifier | None = None
    parameters: tuple[bytes, ...] = ()
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person who may be meant; `match` is a percentage."""

    ids: tuple[InstanceIdentifier, ...]
    person: Person
    match: int
    opposes_regulation: bool = False


def read_patient_search(message: etree._Element) -> PatientSearch:
    """Read PRPA_IN201305UV02. A search without a family name is a detail."""
    queries = identifiers(message, f"{_QUERY}/queryId")
    lists = found(message, _PARAMETERS)
    traits = _traits(lists[0]) if lists else UNKNOWN
    return PatientSearch(
        traits=traits,
        query=queries[0] if queries else None,
        parameters=tuple(etree.tostring(one, encoding="UTF-8", with_tail=False) for one in (lists[0] if lists else ())),
        details=tuple(_rules(traits)),
    )


def _rules(traits: Person) -> Iterator[Detail]:
    if not (traits.birth_family or traits.usual_family):
        text = "livingSubjectName: found no family name, expected one"
        yield Detail(code=DetailCode.SYNTAX, text=text, location=f"{_PARAMETERS}/livingSubjectName")


def _traits(parameters: etree._Element) -> Person:
    """The parameters as the person they describe. A value of a name is a name."""
    person = etree.Element(name_of("person"))
    for value in found(parameters, "livingSubjectName/value"):
        name = etree.SubElement(person, name_of("name"))
        name.extend(_copied(value))
    for tag, into in (
        ("livingSubjectAdministrativeGender", "administrativeGenderCode"),
        ("livingSubjectBirthTime", "birthTime"),
    ):
        for value in found(parameters, f"{tag}/value"):
            etree.SubElement(person, name_of(into), {str(name): str(given) for name, given in value.attrib.items()})
    for value in found(parameters, "patientAddress/value"):
        etree.SubElement(person, name_of("addr")).extend(_copied(value))
    return read_person(person)


def _copied(value: etree._Element) -> list[etree._Element]:
    return list(deepcopy(value))


def write_candidates(
    transmission: Transmission,
    search: PatientSearch,
    candidates: Sequence[Candidate],
    details: Sequence[Detail] = (),
    *,
    now: str,
) -> bytes:
    """PRPA_IN201306UV02: `AA` with the candidates, best first, or `AE`. `now` is 14 digits, UTC."""
    outcome = "AE" if details else "OK" if candidates else "NF"
    query_id = search.query or InstanceIdentifier(str(uuid4()))
    identifier = f"<queryId root={quoteattr(query_id.root)} extension={quoteattr(query_id.extension)}/>"
    asked = b"".join(search.parameters).decode()
    body = (
        f'<acknowledgement><typeCode code="{"AE" if details else "AA"}"/>{write_target(transmission)}'
        f"{write_details(details)}</acknowledgement>"
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        '<code code="PRPA_TE201306UV02" codeSystem="2.16.840.1.113883.1.6"/>'
        f"{''.join(map(_subject, candidates))}"
        f'<queryAck>{identifier}<queryResponseCode code="{outcome}"/>'
        f'<resultTotalQuantity value="{len(candidates)}"/><resultCurrentQuantity value="{len(candidates)}"/>'
        '<resultRemainingQuantity value="0"/></queryAck>'
        f'<queryByParameter>{identifier}<statusCode code="new"/><parameterList>{asked}</parameterList>'
        "</queryByParameter></controlActProcess>"
    )
    return write_answer(ANSWER, transmission, body, now=now).encode()


def _subject(one: Candidate) -> str:
    ids = "".join(f"<id root={quoteattr(each.root)} extension={quoteattr(each.extension)}/>" for each in one.ids)
    opposes = "true" if one.opposes_regulation else "false"
    return (
        '<subject typeCode="SUBJ" contextConductionInd="false"><registrationEvent classCode="REG" moodCode="EVN">'
        '<statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">'
        f'{ids}<statusCode code="active"/>{write_person(one.person)}'
        '<subjectOf1 typeCode="SBJ"><queryMatchObservation classCode="COND" moodCode="EVN">'
        '<code code="POURCENTAGE"/><value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="INT" '
        f'value="{one.match}"/></queryMatchObservation></subjectOf1>'
        '<subjectOf2 typeCode="SBJ"><administrativeObservation classCode="OBS" moodCode="EVN">'
        '<code code="OPPOSITION_ACCES_URGENCE" codeSystem="1.2.250.1.213.4.1.2.3"/>'
        f'<value value="{opposes}"/></administrativeObservation></subjectOf2>'
        "</patient></subject1></registrationEvent></subject>"
    )
