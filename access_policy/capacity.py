"""In what quality a caller acts: by profession, speciality, sector and certificate, on this record. DMP 12.4."""

from dataclasses import dataclass

from access_policy.caller import AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.matrix import ACTIVITIES, PHARMACIST, SECTIONS, TERMINOLOGIES, Column
from access_policy.record_facts import RecordFacts
from access_policy.rights import Actor, Authentication, Mode
from access_policy.tables import Tables
from xds.datatypes import Code

PROFESSIONALS, STRUCTURES = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"
_HEALTH_PROFESSIONS = (TERMINOLOGIES["G15"], TERMINOLOGIES["G16"])
_DOCTORS = frozenset((one, "10") for one in _HEALTH_PROFESSIONS)
_SPECIALITIES, _FUNCTIONS, _SECTORS = "1.2.250.1.71.4.2.5", "1.2.250.1.213.1.6.1.17", "1.2.250.1.71.4.2.4"
# Of these, a doctor is one of occupational medicine.
_OCCUPATIONAL = frozenset(
    [(_SPECIALITIES, one) for one in ("SM25", "C41", "SCH35", "CAPA11")] + [(_FUNCTIONS, "FON-29"), (_SECTORS, "SA13")]
)
# Pharmacies, by the sector of activity. ANS JDV_J61
PHARMACIES = ("SA33", "SA38", "SA39", "SA56")
_PHARMACIST_OF_A_PHARMACY = (
    Code(code=PHARMACIST[1], coding_scheme=PHARMACIST[0]),
    Code(code="A", coding_scheme=SECTIONS),
)
_MODES = {
    PurposeOfUse.NORMAL: Mode.NORMAL,
    PurposeOfUse.REGULATION: Mode.REGULATION,
    PurposeOfUse.BREAK_GLASS: Mode.BREAK_GLASS,
}
_PORTAL = {Standing.PATIENT: Actor.PATIENT, Standing.REPRESENTATIVE: Actor.REPRESENTATIVE}
# They act for their structure: its documents are their own.
_FOR_STRUCTURE = frozenset({Actor.CPE_HOLDER, Actor.FACILITY, Actor.NOT_PROFESSIONAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Where a caller stands in both tables. `column` None: in no column of the matrix, which then opens nothing.

    `author` and `structure` are `id^OID` as documents have them; `author` is empty for who acts for a structure.
    `reads_as_pharmacist`: an employee who has no right to read, but by a setting that of the pharmacist.
    """

    auth: Authentication
    actor: Actor
    mode: Mode
    column: Column | None = None
    author: str = ""
    structure: str = ""
    reads_as_pharmacist: bool = False

    @property
    def is_patient_side(self) -> bool:
        return self.auth is Authentication.PORTAL

    @property
    def is_under_matrix(self) -> bool:
        """Patients and occupational doctors are not. DMP 12.2"""
        return not self.is_patient_side and self.actor is not Actor.OCCUPATIONAL_DOCTOR

    @property
    def acts_for_structure(self) -> bool:
        return self.actor in _FOR_STRUCTURE


def capacity_of(caller: Caller, facts: RecordFacts, tables: Tables) -> Capacity | None:
    """None for a caller that the tables do not know, such as one without a kind of authentication."""
    if caller.standing in _PORTAL:
        return Capacity(auth=Authentication.PORTAL, actor=_PORTAL[caller.standing], mode=Mode.NORMAL)
    if caller.mode is None or caller.purpose is None or caller.profession is None:
        return None
    registered = (Code(code=one, coding_scheme=ACTIVITIES) for one in facts.activities)
    column, mode = tables.matrix.column_of((*caller.roles, *registered)), _MODES[caller.purpose]
    auth, actor = _auth_and_actor(caller, facts, column, mode)
    is_employee = actor is Actor.CPE_HOLDER and mode is Mode.NORMAL
    as_pharmacist = tables.pharmacy_reading and is_employee and _is_in_pharmacy(caller)
    if as_pharmacist:
        column = tables.matrix.column_of(_PHARMACIST_OF_A_PHARMACY)
    is_person = actor not in _FOR_STRUCTURE
    return Capacity(
        auth=auth,
        actor=actor,
        mode=mode,
        column=column,
        author=f"{caller.name}^{PROFESSIONALS}" if is_person else "",
        structure=f"{caller.structure}^{STRUCTURES}" if caller.structure else "",
        reads_as_pharmacist=as_pharmacist,
    )


def _is_in_pharmacy(caller: Caller) -> bool:
    sector = caller.sector
    return sector is not None and sector.coding_scheme == _SECTORS and sector.code in PHARMACIES


def _auth_and_actor(
    caller: Caller, facts: RecordFacts, column: Column | None, mode: Mode
) -> tuple[Authentication, Actor]:
    if caller.mode is AuthenticationMode.INDIRECT:
        return Authentication.INDIRECT, Actor.FACILITY
    is_professional = _is_professional(caller, column)
    if caller.mode is AuthenticationMode.AIR:
        return Authentication.AIR, _person(caller, facts, mode) if is_professional else Actor.NOT_PROFESSIONAL
    if not is_professional or _has_employee_card(caller):
        return Authentication.CPE, Actor.CPE_HOLDER
    return Authentication.CPS, _person(caller, facts, mode)


def _is_professional(caller: Caller, column: Column | None) -> bool:
    """Of a health profession, or of a social one that the matrix has a column for."""
    profession = caller.profession
    return column is not None or (profession is not None and profession.coding_scheme in _HEALTH_PROFESSIONS)


def _has_employee_card(caller: Caller) -> bool:
    """A CPE names its holder by an identifier of the structure, `prefix structure/internal`. DMP 8.5"""
    profession = caller.profession
    is_registered = profession is not None and profession.coding_scheme in _HEALTH_PROFESSIONS
    return "/" in caller.name and not is_registered


def _person(caller: Caller, facts: RecordFacts, mode: Mode) -> Actor:
    """A treating doctor who acts as regulator is a doctor: the tables have no row for one."""
    profession = caller.profession
    if profession is None or (profession.coding_scheme, profession.code) not in _DOCTORS:
        return Actor.PROFESSIONAL
    if is_occupational(caller.roles, caller.sector):
        return Actor.OCCUPATIONAL_DOCTOR
    if facts.is_treating_doctor and mode is not Mode.REGULATION:
        return Actor.TREATING_DOCTOR
    return Actor.DOCTOR


def is_occupational(roles: tuple[Code, ...], sector: Code | None) -> bool:
    """Whether a doctor with these roles acts as one of occupational medicine. DMP 12.4"""
    told = {(one.coding_scheme, one.code) for one in roles[1:]}
    if sector is not None:
        told.add((sector.coding_scheme, sector.code))
    return not told.isdisjoint(_OCCUPATIONAL)
