"""Submissions that are new each time: templates, cut where the identifiers stand."""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from benchmarks.bundles import DATA, generation, provide_bundle, publication
from benchmarks.documents import Documents
from benchmarks.plan import Plan
from benchmarks.report import ReportMaker
from carnet.reports import Report, submission_of
from soap.envelope import write_envelope
from soap.mtom import MtomPart, write_multipart
from soap.xop import XOP
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import DocumentEntry, Submission
from xds.vocabulary import XDS_B, ObjectType

PROVIDE_ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
DOCUMENT_PART = "document@benchmark"
_PATIENTS = 50
# Numbers of 22 digits that stand in a template for those of the submission, and of one it refers to.
_THIS, _STORED = int("7" * 22), int("8" * 22)
_PROVIDED, _REGISTERED, _UPDATED, _BUNDLED, _PUBLISHED, _GENERATED, _ON_DEMAND, _REMOVABLE = (
    kind * 10**21 for kind in range(1, 9)
)
# What stands in a submission that is removed as a whole: document, SubmissionSet, the Association between them.
_REMOVABLE_OBJECTS = 3


class SubmissionMaker:
    """Makes submissions for patients that are not queried.

    The same `number` gives the same identifiers while this maker lives, and others in every other maker.
    """

    def __init__(self, plan: Plan, documents: Documents) -> None:
        self._plan, self._documents, self._first = plan, documents, time.time_ns()
        self._provide, self._entry = cache(self._provide_template), cache(self._made_entry)
        self._beside, self._bundle = cache(self._beside_template), cache(self._bundle_template)
        self._report, self._publication = cache(self._report_template), cache(self._publication_template)
        self._removable, self._on_demand = cache(self._removable_template), cache(self._on_demand_template)
        self._register, self._update = cache(self._register_template), cache(self._update_template)

    def provide_and_register(self, number: int, *, boundary: str, root_id: str) -> bytes:
        """The MTOM message of ITI-41 with one report of 140 kB."""
        template = self._provide(self.patient(number), boundary, root_id)
        return _numbered(template, 1, {_THIS: _PROVIDED + self._first + number})

    def provide_beside(self, number: int) -> bytes:
        """The envelope of ITI-41 alone, for a document of any size: hash and size are left to the repository."""
        template = self._beside(self.patient(number))
        return _numbered(template, 1, {_THIS: _PROVIDED + self._first + number})

    def provided_unique_id(self, number: int) -> str:
        return _unique_id(0, _PROVIDED + self._first + number)

    def provided_identifiers(self, number: int) -> tuple[str, ...]:
        """All that tells the message of this number from that of another one for the same patient."""
        this = _PROVIDED + self._first + number
        return _entry_uuid(0, this), _unique_id(0, this), _set_id(this)

    def provided_report(self, number: int) -> bytes:
        """The octets of the document that `provide_and_register` brings."""
        return _numbered(self._report(self.patient(number)), 1, {_THIS: _PROVIDED + self._first + number})

    def bundle(self, number: int) -> bytes:
        """The Bundle of ITI-65 with one report of 140 kB."""
        return self._with_report(self._bundle, number, _BUNDLED)

    def publication(self, number: int) -> bytes:
        """The DocumentReference of ITI-105 with one report of 140 kB."""
        return self._with_report(self._publication, number, _PUBLISHED)

    def published_unique_id(self, number: int) -> str:
        return _unique_id(0, _PUBLISHED + self._first + number)

    def generation(self, number: int) -> bytes:
        """The Parameters of ITI-106 with one report of 140 kB."""
        return self._with_report(lambda _: generation(), number, _GENERATED)

    def _with_report(self, template: Callable[[int], bytes], number: int, kind: int) -> bytes:
        """What is left open in the template of a patient, filled with a report in base64."""
        patient, numbers = self.patient(number), {_THIS: kind + self._first + number}
        content = base64.b64encode(_numbered(self._report(patient), 1, numbers))
        return _numbered(template(patient), 2, numbers).replace(DATA, content)

    def register(self, number: int, entries: int) -> bytes:
        """`lcm:SubmitObjectsRequest` of ITI-42 with so many DocumentEntries."""
        template = self._register(self.patient(number), entries)
        return _numbered(template, entries, {_THIS: self._registered(number, entries)})

    def registered_uuid(self, number: int, entries: int) -> str:
        """entryUUID of the first document of what `register` makes."""
        return _entry_uuid(0, self._registered(number, entries))

    def on_demand(self, number: int) -> bytes:
        """`lcm:SubmitObjectsRequest` of ITI-61 with one on-demand DocumentEntry."""
        return _numbered(self._on_demand(self.patient(number)), 1, {_THIS: _ON_DEMAND + self._first + number})

    def removable(self, number: int) -> bytes:
        """`lcm:SubmitObjectsRequest` of ITI-42 with one DocumentEntry, all of whose entryUUIDs are known."""
        numbers = {_THIS: _REMOVABLE + self._first + number}
        return _numbered(self._removable(self.patient(number)), _REMOVABLE_OBJECTS, numbers)

    def removable_uuids(self, number: int) -> Sequence[str]:
        """entryUUIDs of everything that `removable` brings."""
        return [_entry_uuid(place, _REMOVABLE + self._first + number) for place in range(_REMOVABLE_OBJECTS)]

    def update(self, number: int, *, stored: int, entries: int, place: int, version: int) -> bytes:
        """`lcm:SubmitObjectsRequest` of ITI-57: the version after `version` of one entry that `register` made."""
        template = self._update(self.patient(stored), place, version)
        numbers = {_THIS: _UPDATED + self._first + number, _STORED: self._registered(stored, entries)}
        return _numbered(template, place + 1, numbers)

    def _registered(self, number: int, entries: int) -> int:
        return _REGISTERED + entries * 10**19 + self._first + number

    def patient(self, number: int) -> int:
        """Number of the patient whose turn it is."""
        return self.patients[number % len(self.patients)]

    @property
    def patients(self) -> Sequence[int]:
        """Numbers of those whom documents are submitted for."""
        return self._plan.others[:_PATIENTS]

    def _provide_template(self, patient: int, boundary: str, root_id: str) -> bytes:
        reports = ReportMaker()
        content = reports.content(unique_id=_unique_id(0, _THIS), ins=self._documents.patient(patient).ins.id)
        submission = _submission(reports.entry(content, entry_uuid=_entry_uuid(0, _THIS)))
        envelope = write_envelope(provide_body(submission), action=PROVIDE_ACTION)
        part = MtomPart(content_id=DOCUMENT_PART, content_type="text/xml", chunks=(content,), length=len(content))
        return b"".join(write_multipart(envelope, [part], boundary=boundary, root_id=root_id))

    def _report_template(self, patient: int) -> bytes:
        return ReportMaker().content(unique_id=_unique_id(0, _THIS), ins=self._documents.patient(patient).ins.id)

    def _bundle_template(self, patient: int) -> bytes:
        return provide_bundle(_submission(self._reported(patient)), binary=_entry_uuid(1, _THIS))

    def _publication_template(self, patient: int) -> bytes:
        return publication(self._reported(patient))

    def _reported(self, patient: int) -> DocumentEntry:
        """What the header of a report says."""
        entry = ReportMaker().entry(self._report(patient), entry_uuid=_entry_uuid(0, _THIS))
        return replace(entry, hash=None, size=None)

    def _beside_template(self, patient: int) -> bytes:
        entry = replace(self._entry(patient, 0, _THIS), hash=None, size=None)
        return write_envelope(provide_body(_submission(entry)), action=PROVIDE_ACTION)

    def _register_template(self, patient: int, entries: int) -> bytes:
        submission = _submission(*(self._entry(patient, place, _THIS) for place in range(entries)))
        return write_submit_objects_request(submission.objects)

    def _on_demand_template(self, patient: int) -> bytes:
        entry = replace(self._entry(patient, 0, _THIS), object_type=ObjectType.ON_DEMAND, hash=None, size=None)
        return write_submit_objects_request(
            _submission(replace(entry, creation_time=None, legal_authenticator=None)).objects
        )

    def _removable_template(self, patient: int) -> bytes:
        submission = _submission(self._entry(patient, 0, _THIS))
        (member,) = submission.associations
        owner = replace(submission.submission_set, entry_uuid=_entry_uuid(1, _THIS))
        member = replace(member, entry_uuid=_entry_uuid(2, _THIS), source=owner.entry_uuid)
        return write_submit_objects_request(replace(submission, submission_set=owner, associations=(member,)).objects)

    def _update_template(self, patient: int, place: int, version: int) -> bytes:
        stored = self._entry(patient, place, _STORED)
        new = replace(stored, entry_uuid="Document01", logical_id=stored.entry_uuid, title=f"Version {version + 1}")
        submission = _submission(new)
        (member,) = submission.associations
        submission = replace(submission, associations=(replace(member, previous_version=version),))
        return write_submit_objects_request(submission.objects)

    def _made_entry(self, patient: int, place: int, number: int) -> DocumentEntry:
        """What a document of the data set says, said of this patient and under other identifiers."""
        person, count = self._documents.patient(patient), len(self._plan.order)
        model = next(one for one in range(place, count) if not self._plan.is_queried(self._plan.order[one]))
        return replace(
            self._documents.entry(model),
            entry_uuid=_entry_uuid(place, number),
            unique_id=_unique_id(place, number),
            patient_id=person.ins,
            source_patient_id=person.local_id,
            source_patient_info=person.pid,
        )


def provide_body(submission: Submission) -> bytes:
    """`xds:ProvideAndRegisterDocumentSetRequest` whose one document is the part `DOCUMENT_PART`."""
    (entry,) = submission.document_entries
    return (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS_B}">'.encode()
        + write_submit_objects_request(submission.objects)
        + f'<xds:Document id="{entry.entry_uuid}"><xop:Include xmlns:xop="{XOP}" href="cid:{DOCUMENT_PART}"/>'
        "</xds:Document></xds:ProvideAndRegisterDocumentSetRequest>".encode()
    )


def _submission(*entries: DocumentEntry) -> Submission:
    return submission_of([Report(content=b"", entry=entry) for entry in entries], unique_id=_set_id(_THIS))


def _entry_uuid(place: int, number: int) -> str:
    digits = f"{number:022d}"
    return f"urn:uuid:{place:08d}-{digits[:4]}-4{digits[4:7]}-8{digits[7:10]}-{digits[10:]}"


def _unique_id(place: int, number: int) -> str:
    return f"2.25.1{place:02d}{number:035d}"


def _set_id(number: int) -> str:
    return f"2.25.2{number:037d}"


def _numbered(template: bytes, entries: int, numbers: dict[int, int]) -> bytes:
    """The template with other numbers in its identifiers."""
    for found, wanted in numbers.items():
        template = template.replace(_set_id(found).encode(), _set_id(wanted).encode())
        for place in range(entries):
            for identifier in (_entry_uuid, _unique_id):
                template = template.replace(identifier(place, found).encode(), identifier(place, wanted).encode())
    return template
