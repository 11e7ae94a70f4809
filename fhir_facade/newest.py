"""The newest version of an object, by whatever id a URL may have. PDSm 8 (T07)"""

from fhir_facade.rendered import find_rendered
from registry.criteria import Criteria, Form, Found, Page
from registry.snapshot import Snapshot
from xds.metadata import RegistryObject


def current(snapshot: Snapshot, kind: type[RegistryObject], uuid: str) -> Found | None:
    """The newest version of an object, by its logicalID or by the entryUUID of any version of it."""
    by_id = Criteria(kind=kind, logical_ids=(uuid,), on_demand=True)
    found = find_rendered(snapshot, by_id, Page(size=1))
    if found:
        return found[0]
    version = Criteria(kind=kind, entry_uuids=(uuid,), on_demand=True, all_versions=True)
    named = snapshot.find(version, Page(size=1), Form.REFERENCE)
    if not named or named[0].logical_id == uuid:
        return None
    by_id = Criteria(kind=kind, logical_ids=(named[0].logical_id,), on_demand=True)
    again = find_rendered(snapshot, by_id, Page(size=1))
    return again[0] if again else None
