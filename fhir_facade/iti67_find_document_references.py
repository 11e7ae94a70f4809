"""Find Document References [ITI-67], and the read of one DocumentReference. MHD 2:3.67."""

from collections.abc import Sequence

from access_policy.caller import Caller
from fhir_facade import searching
from fhir_facade.patients import Patients
from fhir_facade.search import common, read_search
from registry.criteria import Criteria
from registry.store import Registry
from xds.metadata import DocumentEntry


def handle(
    registry: Registry,
    parameters: Sequence[tuple[str, str]],
    caller: Caller,
    *,
    base_url: str,
    strict: bool = False,
) -> bytes:
    """The searchset. Raises FhirProblem."""
    patients = Patients(registry=registry, caller=caller, base_url=base_url)
    search = read_search("DocumentReference", parameters, patients, criteria=Criteria(), strict=strict)
    return searching.answer(registry, "DocumentReference", common(search, registry.domain), parameters, patients)


def read(registry: Registry, fhir_id: str, caller: Caller, *, base_url: str) -> bytes:
    """The current version of one DocumentReference. Raises FhirProblem 404."""
    return searching.read(registry, (DocumentEntry,), fhir_id, caller, base_url=base_url)
