"""What readers ask of the FHIR door, however a request came in: searches [ITI-66, ITI-67], documents [ITI-68].

Who may, the record of it, and the transaction: all three are here, once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from wsgiref.types import WSGIEnvironment

from access_policy.caller import Caller
from access_policy.permission import permits
from audit.objects import a_document
from audit.occurrence import Occurrence
from audit.record import Outcome
from carnet.auditing import Auditor
from carnet.authentication import CallerOfRequest
from carnet.fhir_answers import forbidden
from carnet.fhir_bodies import DocumentSizes
from fhir_facade import iti66_find_document_lists as iti66
from fhir_facade import iti67_find_document_references as iti67
from fhir_facade import iti68_retrieve_document as iti68
from fhir_facade.patients import Patients
from fhir_facade.security_statement import NOTHING_ASKED, FhirSecurity
from registry.store import Registry
from repository.store import Repository
from storage.unit_of_work import StorageFailed
from xds.identifiers import UUID_PREFIX

T = TypeVar("T")


class Search(NamedTuple):
    """A search of one resource type."""

    transaction: str
    resource: str
    handle: Callable[..., bytes]


SEARCHES: Mapping[str, Search] = {
    "DocumentReference": Search("ITI-67", "DocumentReference", iti67.handle),
    "List": Search("ITI-66", "List", iti66.handle),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirReader:
    """`sizes`: of the documents that are taken. Those of other repositories come from
    `elsewhere`, or are found and not retrieved here."""

    registry: Registry
    repository: Repository | None
    base_url: str
    caller_of: CallerOfRequest
    auditor: Auditor
    sizes: DocumentSizes
    elsewhere: iti68.Elsewhere = iti68.nowhere_else
    security: FhirSecurity = NOTHING_ASKED

    def permitted(self, environ: WSGIEnvironment, transaction: str, *letters: str) -> Caller:
        """Who calls, and may run the transaction; `letters` of SMART for one interaction of it. Raises FhirProblem."""
        return self.checked(self.caller_of(environ), transaction, *letters)

    def checked(self, caller: Caller, transaction: str, *letters: str) -> Caller:
        """The same of a caller who is known already."""
        if not permits(caller, transaction, letters):
            refusal = Occurrence(event=transaction, outcome=Outcome.SERIOUS, description="forbidden")
            self.auditor.told(refusal, caller)
            raise forbidden(caller, transaction, letters, scope_status=self.security.scope_status)
        return caller

    def searched(
        self,
        search: Search,
        caller: Caller,
        raw: str,
        parameters: list[tuple[str, str]],
        *,
        strict: bool,
        answer: Callable[[bytes], T],
    ) -> T:
        """The searchset as `answer` gives it; `raw` is the request as it came. Raises FhirProblem, StorageFailed."""
        transaction, resource, handle = search
        known = Patients(registry=self.registry, caller=caller, base_url=self.base_url)
        asked = self.auditor.search(transaction, resource, raw, parameters, known.asked_for)
        with self.auditor.interaction(asked, caller):
            return answer(handle(self.registry, parameters, caller, base_url=self.base_url, strict=strict))

    def document(self, fhir_id: str, caller: Caller) -> iti68.RetrievedDocument:
        """The document, whose octets are the receiver's to close. Raises FhirProblem, StorageFailed."""
        document: iti68.RetrievedDocument | None = None
        try:
            with self.auditor.interaction(self.auditor.read("ITI-68", f"{UUID_PREFIX}{fhir_id}"), caller) as about:
                document = iti68.handle(self.registry, self.repository, fhir_id, caller, self.elsewhere)
                about.objects = (a_document(document.unique_id, document.repository_unique_id),)
                about.patient = document.patient
        except StorageFailed:
            if document is not None:
                document.octets.close()
            raise
        return document
