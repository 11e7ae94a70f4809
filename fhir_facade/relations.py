"""Documents that relate to another one, for the search parameter `relatesto`. MHD 3:4.2.1; PDSm 5.1."""

from access_policy.visibility import Purpose
from fhir_facade.newest import current
from fhir_facade.patients import Patients
from registry.criteria import Criteria, Form
from xds.identifiers import UUID_PREFIX, is_uuid_urn
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import RELATIONSHIPS, AvailabilityStatus


def related_to(patients: Patients, reference: str) -> tuple[str, ...]:
    """entryUUIDs of what replaces, appends, transforms or signs a document: its id, DocumentReference/id or URL."""
    text = reference.removeprefix(f"{patients.base_url}/").removeprefix("DocumentReference/")
    uuid = f"{UUID_PREFIX}{text.partition('/_history/')[0]}"
    if not is_uuid_urn(uuid):
        return ()
    with patients.registry.seen_by(patients.caller, Purpose.METADATA) as snapshot:
        target = current(snapshot, DocumentEntry, uuid)
        if target is None:
            return ()
        criteria = Criteria(
            kind=Association,
            targets=(target.entry_uuid,),
            association_types=tuple(sorted(RELATIONSHIPS)),
            statuses=(AvailabilityStatus.APPROVED,),
        )
        return tuple(one.source for one in snapshot.find(criteria, form=Form.REFERENCE) if one.source is not None)
