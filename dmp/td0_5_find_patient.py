"""Find the person of an emergency call by traits, without INS [TD0.5]. DMP 3; ITI TF-2: 3.47."""

from lxml import etree
from sqlalchemy import Connection

from access_policy.caller import Caller
from access_policy.rights import Action
from dmp.record_desk import RecordDesk
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import persons
from dmp.sql.persons import folded
from hl7v3.patient_search import Candidate, PatientSearch, read_patient_search, write_candidates
from hl7v3.person import Person
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, read_transmission
from storage.unit_of_work import StorageFailed
from xds.datatypes import CX

TRANSACTION = "TD0.5"
_LOOKED_AT = 500
# How much each trait counts, where the search names it.
_FAMILY, _GIVEN, _BIRTH, _GENDER, _CITY = 40, 20, 30, 5, 5


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`hl7:PRPA_IN201305UV02` -> `hl7:PRPA_IN201306UV02`."""
    transmission, search = read_transmission(body), read_patient_search(body)
    details: tuple[Detail, ...] = (*transmission.details, *search.details)
    candidates: list[Candidate] = []
    if not details:
        try:
            candidates = handle(service, search, caller)
        except RecordRefused as refused:
            details = (Detail(code=refused.code, text=refused.context),)
        except StorageFailed:
            details = (Detail(code=DetailCode.INTERNAL, text="the records could not be read; ask again"),)
    return write_candidates(transmission, search, candidates, details, now=service.now())


def handle(service: RecordDesk, search: PatientSearch, caller: Caller) -> list[Candidate]:
    """The persons with open records who may be meant, the likeliest first. Raises RecordRefused."""
    with service.units.read() as connection:
        service.permitted(Action.SEARCH_WITHOUT_INS, caller, service.facts(connection, caller, ""))
        return candidates(connection, search.traits, most=service.most_candidates)


def candidates(connection: Connection, traits: Person, *, most: int) -> list[Candidate]:
    """At most so many persons with open records whose family name begins so. Raises RecordRefused without one."""
    families = tuple(filter(None, map(folded, (traits.birth_family, traits.usual_family))))
    if not families:
        raise RecordRefused(Refusal.WRONG_FIELD, "family name: found none with a letter or digit, expected one")
    found = [
        Candidate(
            ids=(InstanceIdentifier(CX(row["patient"]).authority, CX(row["patient"]).id),),
            person=person,
            match=match(traits, person),
            opposes_regulation=bool(row["opposes_regulation"]),
        )
        for row, person in persons.named(connection, families, limit=_LOOKED_AT)
    ]
    return sorted(found, key=lambda one: -one.match)[:most]


def match(asked: Person, known: Person) -> int:
    """How much of what was asked for fits, in per cent."""
    names = {folded(one) for one in (known.birth_family, known.usual_family) if one}
    weights = [(_FAMILY, any(folded(one) in names for one in (asked.birth_family, asked.usual_family) if one))]
    if asked.given:
        given = folded(" ".join(known.given))
        weights.append((_GIVEN, given.startswith(folded(asked.given[0])) or folded(asked.given[0]) in given.split()))
    if asked.birth_time:
        weights.append((_BIRTH, known.birth_time.startswith(asked.birth_time[:8])))
    if asked.gender:
        weights.append((_GENDER, known.gender == asked.gender))
    if asked.address.city:
        weights.append((_CITY, folded(known.address.city) == folded(asked.address.city)))
    return round(100 * sum(weight for weight, fits in weights if fits) / sum(weight for weight, _ in weights))
