"""Register On-Demand Document Entry: its own demands, and how it lives beside stable documents."""

from typing import Any

import pytest

from access_policy.visibility import EVERYTHING
from registry import iti61_register_on_demand_document_entry as iti61
from registry.criteria import Criteria, Form
from registry.store import Registry
from tests.builders import PATIENT, a_replacement, a_submission, an_association, an_entry
from tests.registry.registries import DEPRECATED, a_stored_entry, codes, now_held, only, refused, submit
from xds.metadata import DocumentEntry
from xds.vocabulary import AssociationType, ObjectType


def an_on_demand_entry(**changes: Any) -> DocumentEntry:
    nothing = {"object_type": ObjectType.ON_DEMAND, "hash": None, "size": None, "creation_time": None}
    return an_entry(**(nothing | {"legal_authenticator": None} | changes))


def test_an_on_demand_entry_is_found_only_when_asked_for(registry: Registry) -> None:
    stored = only(DocumentEntry, submit(registry, a_submission(an_on_demand_entry()), iti61.handle))
    assert registry.find(Criteria(patient=PATIENT.key), EVERYTHING) == ()
    [found] = registry.find(Criteria(patient=PATIENT.key, on_demand=True), EVERYTHING, form=Form.REFERENCE)
    assert found.entry_uuid == stored.entry_uuid


@pytest.mark.parametrize("attribute", ["hash", "size", "creation_time"])
def test_what_only_stable_documents_have_is_refused(registry: Registry, attribute: str) -> None:
    stable = an_entry()
    entry = an_on_demand_entry(**{attribute: getattr(stable, attribute)})
    assert codes(refused(registry, a_submission(entry), iti61.handle)) == {"XDSRegistryMetadataError"}


def test_a_stable_entry_is_refused(registry: Registry) -> None:
    assert "XDSRegistryMetadataError" in codes(refused(registry, a_submission(an_entry()), iti61.handle))


def test_the_unique_id_of_a_stable_document_is_refused_and_that_of_an_on_demand_one_accepted(
    registry: Registry,
) -> None:
    stable = a_stored_entry(registry)
    taken = an_on_demand_entry(unique_id=stable.unique_id)
    assert codes(refused(registry, a_submission(taken), iti61.handle)) == {"XDSRegistryMetadataError"}
    first = an_on_demand_entry()
    submit(registry, a_submission(first), iti61.handle)
    submit(registry, a_submission(an_on_demand_entry(unique_id=first.unique_id)), iti61.handle)


def test_an_on_demand_entry_replaces_a_stable_one(registry: Registry) -> None:
    stable = a_stored_entry(registry)
    new = an_on_demand_entry(entry_uuid="Document02")
    submit(registry, a_submission(new, associations=(a_replacement(new, stable.entry_uuid),)), iti61.handle)
    assert now_held(registry, stable).availability_status is DEPRECATED


def test_a_snapshot_is_a_stable_document_of_an_on_demand_one(registry: Registry) -> None:
    on_demand = only(DocumentEntry, submit(registry, a_submission(an_on_demand_entry()), iti61.handle))
    kind = AssociationType.IS_SNAPSHOT_OF
    snapshot = an_entry(entry_uuid="Document02")
    link = an_association(association_type=kind, source="Document02", target=on_demand.entry_uuid)
    stored = only(DocumentEntry, submit(registry, a_submission(snapshot, associations=(link,))))
    assert now_held(registry, on_demand).availability_status is not DEPRECATED
    wrong = an_association(association_type=kind, source="Document02", target=stored.entry_uuid)
    errors = refused(registry, a_submission(an_entry(entry_uuid="Document02"), associations=(wrong,)))
    assert codes(errors) == {"XDSRegistryMetadataError"}
