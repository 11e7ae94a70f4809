"""The submissions of a data set, made one by one from its plan: any of them, in any process, always the same."""

import hashlib
from dataclasses import replace
from datetime import datetime
from functools import cache, cached_property

from benchmarks.models import content_type_of, models
from benchmarks.particulars import Draw, Particulars, Patient, Shape
from benchmarks.plan import Plan
from benchmarks.report import ReportMaker
from carnet.domains import repository_unique_id
from carnet.settings import Settings
from registry.life_cycle import registered
from xds.datatypes import DTM, CXi
from xds.identifiers import UUID_PREFIX
from xds.metadata import Association, DocumentEntry, RegistryObject, Submission, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus

_SOURCE = "2.25.30711594273310529541022864106528471"
_ORDER, _PLACER, _OTHER_PLACER = "urn:ihe:iti:xds:2013:order", "2.25.7714", "2.25.7713"
_content_type_of = cache(content_type_of)


class Documents:
    """Makes the submissions of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self.draw = plan, Draw(plan)
        self._repository = repository_unique_id(Settings())
        self._model = models(plan.sizes.seed)

    def patient(self, number: int) -> Patient:
        return self.draw.patient(number)

    def submission(self, number: int) -> Submission:
        """The submission with this place in the order of time: one document, and what it replaces if it does."""
        shape, particulars = self.draw.shape(number), self.draw.particulars(number)
        entry = self._held_entry(number) if self.is_held(number) else self.entry_of(shape, particulars)
        return self.submission_of(shape, particulars, entry)

    def is_held(self, number: int) -> bool:
        """Whether the octets of its document are kept."""
        return self._plan.is_held(self._plan.order[number], self._plan.turns[number])

    def submission_of(self, shape: Shape, particulars: Particulars, entry: DocumentEntry) -> Submission:
        """The submission that brings this entry."""
        owner = _submission_set(particulars, entry)
        associations = [
            Association(
                entry_uuid=UUID_PREFIX + particulars.member,
                association_type=AssociationType.HAS_MEMBER,
                source=owner.entry_uuid,
                target=entry.entry_uuid,
                submission_set_status="Original",
            )
        ]
        if shape.replaces:
            associations.append(
                Association(
                    entry_uuid=UUID_PREFIX + particulars.replacement,
                    association_type=AssociationType.RPLC,
                    source=entry.entry_uuid,
                    target=UUID_PREFIX + particulars.replaced,
                )
            )
        return Submission(submission_set=owner, document_entries=(entry,), associations=tuple(associations))

    def stored(self, number: int) -> tuple[RegistryObject, ...]:
        """The objects of the submission as the registry has them once all submissions have come."""
        shape, particulars = self.draw.shape(number), self.draw.particulars(number)
        return stored(self.submission(number), shape, particulars)

    def time(self, number: int) -> str:
        """When the submission came, 14 digits, UTC."""
        return self.draw.particulars(number).came

    def moment(self, number: int) -> datetime:
        return self.draw.moment(number)

    def entry_uuid(self, patient: int, turn: int) -> str:
        return UUID_PREFIX + self.draw.uuid(f"entry/{patient}/{turn}")

    def unique_id(self, patient: int, turn: int) -> str:
        return self.draw.oid(f"document/{patient}/{turn}")

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
        return self.entry_of(self.draw.shape(number), self.draw.particulars(number))

    def entry_of(self, shape: Shape, particulars: Particulars) -> DocumentEntry:
        """What a model says, said of these particulars."""
        model, patient = self._model(shape.model), particulars.patient
        title = f"{model.kind.title} du {particulars.day}" if model.is_dated else model.kind.title
        return DocumentEntry(
            entry_uuid=UUID_PREFIX + particulars.entry,
            mime_type="text/xml",
            author=model.authors,
            class_code=model.kind.class_code,
            comments=model.comments,
            confidentiality_code=(model.confidentiality,),
            creation_time=DTM(particulars.created),
            event_code_list=model.kind.events,
            format_code=model.kind.format_code,
            hash=particulars.hash,
            healthcare_facility_type_code=model.writer.facility,
            language_code="fr-FR",
            legal_authenticator=model.writer.author.author_person,
            patient_id=patient.ins,
            practice_setting_code=model.writer.setting,
            reference_id_list=_references(shape, particulars, has_reference=model.has_reference),
            repository_unique_id=self._repository,
            service_start_time=DTM(particulars.started),
            service_stop_time=DTM(particulars.stopped) if model.has_stop else None,
            size=particulars.size,
            source_patient_id=patient.local_id,
            source_patient_info=patient.pid,
            title=title,
            type_code=model.kind.type_code,
            unique_id=particulars.unique_id,
        )

    def order(self, patient: int) -> CXi:
        """The order that the second document of a queried patient answers, and no other document does."""
        return _reference(f"{patient:09d}", _PLACER)


def stored(submission: Submission, shape: Shape, particulars: Particulars) -> tuple[RegistryObject, ...]:
    """The objects of a submission as the registry has them once all submissions have come."""
    things = registered(submission, now=particulars.came)
    if not shape.is_replaced:
        return things
    return tuple(
        replace(one, availability_status=AvailabilityStatus.DEPRECATED) if isinstance(one, DocumentEntry) else one
        for one in things
    )


def _submission_set(particulars: Particulars, entry: DocumentEntry) -> SubmissionSet:
    return SubmissionSet(
        entry_uuid=UUID_PREFIX + particulars.submission_set,
        author=entry.author[:1],
        content_type_code=_content_type_of(entry.type_code),
        patient_id=entry.patient_id,
        source_id=_SOURCE,
        submission_time=DTM(particulars.came),
        title="Envoi de documents",
        unique_id=particulars.submission_set_id,
    )


def _references(shape: Shape, particulars: Particulars, *, has_reference: bool) -> tuple[CXi, ...]:
    """Laboratory and imaging reports name the order they answer, and so does one document of a queried patient."""
    if shape.is_ordered:
        return (_reference(particulars.order, _PLACER),)
    return (_reference(particulars.order, _OTHER_PLACER),) if has_reference else ()


def _reference(order: str, placer: str) -> CXi:
    return CXi(f"{order}^^^&{placer}&ISO^{_ORDER}")
