"""Submissions that are new each time: a template per patient, cut where the identifiers stand."""

from dataclasses import replace
from functools import cache

from benchmarks.documents import Documents
from benchmarks.plan import Plan
from benchmarks.report import ReportMaker
from carnet.reports import Report, submission_of
from soap.envelope import write_envelope
from soap.mtom import MtomPart, write_multipart
from soap.xop import XOP
from xds.ebrim.write import write_submit_objects_request
from xds.vocabulary import XDS_B

_ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
_PATIENTS = 50
_DIGITS = 38
# Stand-ins for the two identifiers that change, as long as what replaces them.
_DOCUMENT, _SUBMISSION = f"2.25.1{'7' * (_DIGITS - 1)}", f"2.25.2{'7' * (_DIGITS - 1)}"


class SubmissionMaker:
    """Makes messages with one report of 140 kB each, for patients that are not queried."""

    def __init__(self, plan: Plan, documents: Documents) -> None:
        self._plan, self._documents = plan, documents
        self._reports = ReportMaker()
        self._template = cache(self._made)

    def provide_and_register(self, number: int, *, boundary: str, root_id: str) -> bytes:
        """The MTOM message; another `number` gives other uniqueIds."""
        others = self._plan.others[:_PATIENTS]
        template = self._template(others[number % len(others)], boundary, root_id)
        changing = f"{number:0{_DIGITS - 1}d}"
        document, submission = f"2.25.1{changing}".encode(), f"2.25.2{changing}".encode()
        return template.replace(_DOCUMENT.encode(), document).replace(_SUBMISSION.encode(), submission)

    def _made(self, patient: int, boundary: str, root_id: str) -> bytes:
        content = self._reports.content(unique_id=_DOCUMENT, ins=self._documents.patient(patient).ins.id)
        report = Report(content=content, entry=self._reports.entry(content, entry_uuid="Document01"))
        submission = submission_of([report])
        owner = submission.submission_set
        assert owner is not None
        submission = replace(submission, submission_set=replace(owner, unique_id=_SUBMISSION))
        body = (
            f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS_B}">'.encode()
            + write_submit_objects_request(submission.objects)
            + f'<xds:Document id="Document01"><xop:Include xmlns:xop="{XOP}" href="cid:report@benchmark"/>'
            "</xds:Document></xds:ProvideAndRegisterDocumentSetRequest>".encode()
        )
        part = MtomPart(content_id="report@benchmark", content_type="text/xml", chunks=(content,), length=len(content))
        envelope = write_envelope(body, action=_ACTION)
        return b"".join(write_multipart(envelope, [part], boundary=boundary, root_id=root_id))
