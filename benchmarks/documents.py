"""The submissions of a data set, made one by one from its plan: any of them, in any process, always the same."""

import hashlib
import random
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from benchmarks.invented import (
    COMMENTS,
    CONFIDENTIALITY,
    DOCUMENT_KINDS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    PLACES,
    SPECIALTIES,
    SPECIALTY_SYSTEM,
    STREETS,
    TOWNS,
    DocumentKind,
)
from benchmarks.plan import Plan
from benchmarks.report import ReportMaker
from carnet.domains import TEST_INS_AUTHORITY, repository_unique_id
from carnet.settings import Settings
from registry.life_cycle import registered
from schemas.value_sets import class_of_type, value_set
from xds.datatypes import CX, DTM, XCN, XON, Code, CXi
from xds.metadata import Association, Author, DocumentEntry, RegistryObject, Submission, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus

FIRST_DAY, LAST_DAY = datetime(2020, 1, 6, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)
_PROFESSIONALS, _STRUCTURES = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"
_SOURCE = "2.25.30711594273310529541022864106528471"
_ORDER, _PLACER = "urn:ihe:iti:xds:2013:order", "2.25.7714"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """An invented person: identifiers and what sourcePatientInfo says."""

    ins: CX
    local_id: CX
    pid: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Professional:
    """Who writes documents of some kinds, and where."""

    author: Author
    facility: Code
    setting: Code


class Documents:
    """Makes the submissions of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._seed = plan, plan.sizes.seed
        self._repository = repository_unique_id(Settings())
        self._kinds = tuple(_KindCodes(kind) for kind in DOCUMENT_KINDS)
        self._weights = [kind.weight for kind in DOCUMENT_KINDS]
        self._confidentiality = [_code("JDV_J58_ConfidentialityCode_DMP", code) for code in CONFIDENTIALITY]

    def patient(self, number: int) -> Patient:
        chance = random.Random(f"{self._seed}/patient/{number}")
        sex, year, month = chance.choice("FM"), chance.randrange(1930, 2023), chance.randrange(1, 13)
        ins = CX.of(id=_test_ins(sex, year, month, number), authority=TEST_INS_AUTHORITY, type_code="NH")
        local_id = CX(f"IPP-{number:07d}^^^&2.25.4871{number % 30:02d}&ISO^PI")
        family, given = f"ESSAI-{chance.choice(FAMILY_NAMES)}", chance.choice(GIVEN_NAMES[sex])
        postcode, town = chance.choice(TOWNS)
        street = f"{chance.randrange(1, 90)} {chance.choice(STREETS)}"
        pid = (
            f"PID-3|{ins}",
            f"PID-3|{local_id}",
            f"PID-5|{family}^{given}^{given} {chance.choice(GIVEN_NAMES[sex])}^^^^L",
            f"PID-7|{year}{month:02d}{chance.randrange(1, 29):02d}",
            f"PID-8|{sex}",
            f"PID-11|{street}^^{town}^^{postcode}^FRANCE^H",
            f"PID-13|^PRN^PH^^^^^^^^^02619100{number % 100:02d}",
        )
        return Patient(ins=ins, local_id=local_id, pid=pid)

    def submission(self, number: int) -> Submission:
        """The submission with this place in the order of time: one document, and what it replaces if it does."""
        patient, turn = self._plan.order[number], self._plan.turns[number]
        entry = self._held_entry(number) if self._plan.is_held(patient, turn) else self.entry(number)
        owner = self._submission_set(number, entry)
        links: list[tuple[AssociationType, str, str, str | None]] = [
            (AssociationType.HAS_MEMBER, owner.entry_uuid, entry.entry_uuid, "Original")
        ]
        if self._plan.replaces(patient, turn):
            links.append((AssociationType.RPLC, entry.entry_uuid, self.entry_uuid(patient, turn - 1), None))
        associations = tuple(
            Association(
                entry_uuid=self._uuid_urn(f"association/{patient}/{turn}/{kind}"),
                association_type=kind,
                source=source,
                target=target,
                submission_set_status=status,
            )
            for kind, source, target, status in links
        )
        return Submission(submission_set=owner, document_entries=(entry,), associations=associations)

    def stored(self, number: int) -> tuple[RegistryObject, ...]:
        """The objects of the submission as the registry has them once all submissions have come."""
        patient, turn = self._plan.order[number], self._plan.turns[number]
        things = registered(self.submission(number), now=self.time(number))
        if not self._plan.replaces(patient, turn + 1):
            return things
        return tuple(
            replace(one, availability_status=AvailabilityStatus.DEPRECATED) if isinstance(one, DocumentEntry) else one
            for one in things
        )

    def time(self, number: int) -> str:
        """When the submission came, 14 digits, UTC."""
        return self.moment(number).strftime("%Y%m%d%H%M%S")

    def moment(self, number: int) -> datetime:
        return FIRST_DAY + (LAST_DAY - FIRST_DAY) * (number / self._plan.sizes.entries)

    def entry_uuid(self, patient: int, turn: int) -> str:
        return self._uuid_urn(f"entry/{patient}/{turn}")

    def unique_id(self, patient: int, turn: int) -> str:
        return self._oid(f"document/{patient}/{turn}")

    def content(self, patient: int) -> bytes:
        """The octets of the first document of a patient: a CDA report of 140 kB."""
        return self._reports.content(unique_id=self.unique_id(patient, 0), ins=self.patient(patient).ins.id)

    @cached_property
    def _reports(self) -> ReportMaker:
        return ReportMaker()

    def _held_entry(self, number: int) -> DocumentEntry:
        """What the CDA header says, completed as the repository does."""
        patient = self._plan.order[number]
        content = self.content(patient)
        return replace(
            self._reports.entry(content, entry_uuid=self.entry_uuid(patient, 0)),
            hash=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            size=len(content),
            repository_unique_id=self._repository,
        )

    def entry(self, number: int) -> DocumentEntry:
        """The DocumentEntry of the submission with this place in the order of time, if its octets are not held."""
        patient_number, turn = self._plan.order[number], self._plan.turns[number]
        chance = random.Random(f"{self._seed}/entry/{patient_number}/{turn}")
        patient, moment = self.patient(patient_number), self.moment(number)
        (kind,) = chance.choices(self._kinds, self._weights)
        writer = self._professional(chance.choice(kind.places), chance)
        started = moment - timedelta(minutes=chance.randrange(20, 14_400))
        title = kind.title if chance.random() < 0.7 else f"{kind.title} du {moment:%d/%m/%Y}"
        return DocumentEntry(
            entry_uuid=self.entry_uuid(patient_number, turn),
            mime_type="text/xml",
            author=self._authors(writer, kind, chance),
            class_code=kind.class_code,
            comments=chance.choice(COMMENTS) if chance.random() < 0.1 else None,
            confidentiality_code=tuple(chance.choices(self._confidentiality, list(CONFIDENTIALITY.values()))),
            creation_time=_dtm(moment - timedelta(minutes=chance.randrange(1, 20))),
            event_code_list=kind.events,
            format_code=kind.format_code,
            hash=chance.randbytes(20).hex(),
            healthcare_facility_type_code=writer.facility,
            language_code="fr-FR",
            legal_authenticator=writer.author.author_person,
            patient_id=patient.ins,
            practice_setting_code=writer.setting,
            reference_id_list=self._references(patient_number, turn, kind, chance),
            repository_unique_id=self._repository,
            service_start_time=_dtm(started),
            service_stop_time=_dtm(started + timedelta(minutes=15)) if chance.random() < 0.6 else None,
            size=int(chance.lognormvariate(11.5, 1)) + 4_000,
            source_patient_id=patient.local_id,
            source_patient_info=patient.pid,
            title=title,
            type_code=kind.type_code,
            unique_id=self.unique_id(patient_number, turn),
        )

    def order(self, patient: int) -> CXi:
        """The order that the second document of a queried patient answers, and no other document does."""
        return CXi(f"{patient:09d}^^^&{_PLACER}&ISO^{_ORDER}")

    def _references(self, patient: int, turn: int, kind: "_KindCodes", chance: random.Random) -> tuple[CXi, ...]:
        """Laboratory and imaging reports name the order they answer."""
        if turn == 1 and self._plan.is_queried(patient):
            return (self.order(patient),)
        if kind.places != ("laboratory",) and chance.random() < 0.8:
            return ()
        return (CXi(f"{chance.randrange(10**9):09d}^^^&2.25.7713&ISO^{_ORDER}"),)

    def _authors(self, writer: Professional, kind: "_KindCodes", chance: random.Random) -> tuple[Author, ...]:
        if chance.random() < 0.85:
            return (writer.author,)
        return (writer.author, self._professional(chance.choice(kind.places), chance).author)

    def _submission_set(self, number: int, entry: DocumentEntry) -> SubmissionSet:
        patient, turn = self._plan.order[number], self._plan.turns[number]
        place = next((kind for kind in self._kinds if kind.type_code == entry.type_code), self._kinds[0])
        return SubmissionSet(
            entry_uuid=self._uuid_urn(f"submission/{patient}/{turn}"),
            author=entry.author[:1],
            content_type_code=place.content_type,
            patient_id=entry.patient_id,
            source_id=_SOURCE,
            submission_time=DTM(self.time(number)),
            title="Envoi de documents",
            unique_id=self._oid(f"submission/{patient}/{turn}"),
        )

    def _professional(self, place_name: str, chance: random.Random) -> Professional:
        """One of some thousands of writers, each always at the same structure."""
        place = PLACES[place_name]
        structure, person = chance.randrange(place.number), chance.randrange(12)
        same = random.Random(f"{self._seed}/{place_name}/{structure}/{person}")
        given = same.choice(GIVEN_NAMES[same.choice("FM")]).capitalize()
        offset = 10 * list(PLACES).index(place_name) + person
        code, label = SPECIALTIES[place_name]
        name = f"{place.names[structure % len(place.names)]} {TOWNS[structure % len(TOWNS)][1].title()} {structure}"
        author = Author(
            author_person=XCN(
                f"8999{structure:05d}{offset:03d}^ESSAI-{same.choice(FAMILY_NAMES)}^{given}^^^^^^"
                f"&{_PROFESSIONALS}&ISO^D^^^IDNPS"
            ),
            author_institution=(XON(f"{name}^^^^^&{_STRUCTURES}&ISO^IDNST^^^1{offset // 10:02d}999{structure:04d}"),),
            author_specialty=(f"{code}^{label}^{SPECIALTY_SYSTEM}",),
        )
        facility = _code("JDV_J61_HealthcareFacilityTypeCode_DMP", place.facility)
        return Professional(
            author=author, facility=facility, setting=_code("JDV_J62_PracticeSettingCode_DMP", place.setting)
        )

    def _uuid(self, name: str) -> uuid.UUID:
        digest = hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=16).digest()
        return uuid.UUID(bytes=digest, version=4)

    def _uuid_urn(self, name: str) -> str:
        return self._uuid(name).urn

    def _oid(self, name: str) -> str:
        return f"2.25.{self._uuid(name).int}"


class _KindCodes:
    """A kind of document with its codes looked up in the value sets of the DMP."""

    def __init__(self, kind: DocumentKind) -> None:
        self.title, self.places = kind.title, kind.places
        self.type_code = _code("JDV_J66_TypeCode_DMP", kind.type_code)
        self.format_code = _code("JDV_J60_FormatCode_DMP", kind.format_code)
        self.content_type = _code("JDV_J59_ContentTypeCode_DMP", kind.content_type)
        concept = class_of_type(self.type_code.code, self.type_code.coding_scheme)
        assert concept is not None
        self.class_code = Code(code=concept.code, coding_scheme=concept.system, display_name=concept.display)
        event = kind.event
        self.events = () if event is None else (_event(*event),)


def _event(code: str, system: str, label: str) -> Code:
    return Code(code=code, coding_scheme=system, display_name=label)


def _code(table: str, code: str) -> Code:
    concept = next(concept for concept in value_set(table).concepts if concept.code == code)
    return Code(code=concept.code, coding_scheme=concept.system, display_name=concept.display)


def _dtm(moment: datetime) -> DTM:
    return DTM(moment.strftime("%Y%m%d%H%M%S"))


def _test_ins(sex: str, year: int, month: int, number: int) -> str:
    """A test number in the form of an INS, control key included; 99 is no department of birth."""
    digits = f"{'2' if sex == 'F' else '1'}{year % 100:02d}{month:02d}99{number:06d}"
    return f"{digits}{97 - int(digits) % 97:02d}"
