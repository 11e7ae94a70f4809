"""What the repository is told of on-demand entries: nothing that the caller may not see, the newest of everything."""

import pytest

from access_policy.caller import OPEN_CALLER, Caller
from carnet.on_demand_commands import _CODES
from carnet.on_demand_documents import Codes, add_document_list, find_on_demand
from registry import iti57_update_document_set as iti57
from registry.store import Registry
from tests.builders import OTHER_PATIENT, PATIENT, REPOSITORY, a_submission, an_entry, an_update
from tests.registry.registries import a_stored_entry, submit
from xds.datatypes import CX, Code
from xds.errors import Rejected

CODES = Codes(
    content_type=Code(code="07", coding_scheme="1.2.250.1.213.2.2", display_name="Consultations"),
    **{name: code for name, (_, code) in _CODES.items()},
)
STRANGER = Caller(name="stranger")


def add(registry: Registry, patient_id: CX = PATIENT) -> bool:
    return registry.units.write(
        lambda unit: add_document_list(registry, unit, patient_id, CODES, OPEN_CALLER, repository_id=REPOSITORY)
    )


def unique_id_of(registry: Registry) -> str:
    with registry.units.read() as connection:
        query = "SELECT unique_id FROM registry_object WHERE is_on_demand"
        return str(connection.exec_driver_sql(query).scalar_one())


def test_a_patient_has_one_list_and_each_patient_their_own(registry: Registry) -> None:
    assert [add(registry), add(registry), add(registry, OTHER_PATIENT)] == [True, False, True]


def test_an_unknown_patient_gets_none(registry: Registry) -> None:
    with pytest.raises(Rejected, match="XDSUnknownPatientId"):
        add(registry, CX(PATIENT.key.replace("279035121518989", "279035121518988")))


def test_who_may_see_nothing_is_told_of_nothing(registry: Registry) -> None:
    add(registry)
    a_stored_entry(registry)
    unique_id = unique_id_of(registry)
    assert find_on_demand(registry, STRANGER, [unique_id]) == {}
    assert set(find_on_demand(registry, OPEN_CALLER, [unique_id, "2.25.404"])) == {unique_id}


def test_the_record_is_of_that_patient_alone(registry: Registry) -> None:
    add(registry)
    mine = a_stored_entry(registry)
    submit(registry, a_submission(an_entry(patient_id=OTHER_PATIENT), patient_id=OTHER_PATIENT))
    document = find_on_demand(registry, OPEN_CALLER, [unique_id_of(registry)]).popitem()[1]
    assert [one.entry_uuid for one in document.record] == [mine.entry_uuid]


def test_an_updated_entry_is_the_newest_version_under_the_set_that_updated_it(registry: Registry) -> None:
    add(registry)
    unique_id = unique_id_of(registry)
    entry = find_on_demand(registry, OPEN_CALLER, [unique_id])[unique_id].entry
    update = an_update(entry, title="Sommaire")
    submit(registry, update, iti57.handle)
    found = find_on_demand(registry, OPEN_CALLER, [unique_id])[unique_id]
    assert (found.entry.title, found.entry.version) == ("Sommaire", 2)
    assert update.submission_set is not None
    assert found.submission_set.unique_id == update.submission_set.unique_id
