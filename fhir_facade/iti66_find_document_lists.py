"""Find Document Lists [ITI-66], and the read of one List. MHD 2:3.66."""

from collections.abc import Sequence

from access_policy.caller import Caller
from fhir_facade import searching
from fhir_facade.operation_outcome import bad_request
from fhir_facade.patients import Patients
from fhir_facade.search import read_search
from registry.criteria import Criteria
from registry.store import Registry
from xds.metadata import Folder, SubmissionSet


def handle(
    registry: Registry,
    parameters: Sequence[tuple[str, str]],
    caller: Caller,
    *,
    base_url: str,
    strict: bool = False,
) -> bytes:
    """The searchset of SubmissionSets, or of Folders, as `code` says. Raises FhirProblem."""
    if not any(name == "code" for name, _ in parameters):
        raise bad_request("expected code=submissionset or code=folder", code="required", expression="code")
    patients = Patients(registry=registry, caller=caller, base_url=base_url)
    in_order = sorted(parameters, key=lambda one: one[0] != "code")  # it says what the others are asked of
    search = read_search("List", in_order, patients, criteria=Criteria(kind=SubmissionSet), strict=strict)
    return searching.answer(registry, "List", search, parameters, patients)


def read(registry: Registry, fhir_id: str, caller: Caller, *, base_url: str) -> bytes:
    """The current version of one SubmissionSet or Folder. Raises FhirProblem 404."""
    return searching.read(registry, (SubmissionSet, Folder), fhir_id, caller, base_url=base_url)
