"""Restricted Update Document Set [ITI-92]. Restricted Metadata Update 3.92."""

from lxml import etree

from access_policy.caller import Caller
from registry import iti57_update_document_set as iti57
from registry.answers import submission_answer
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import Rejected
from xds.metadata import RegistryObject
from xds.metadata_update import operations_of
from xds.restricted_update_rules import restricted_update_rules
from xds.submission_rules import object_rules

KIND = SubmissionKind.RESTRICTED_UPDATE


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`lcm:SubmitObjectsRequest` -> `rs:RegistryResponse`."""
    return submission_answer(registry, body, caller, handle)


def handle(registry: Registry, unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryObject, ...]:
    """Store new versions of documents, of which only some attributes may differ; returns the objects added.

    Raises Rejected with every violation found, nothing stored. Restricted Metadata Update 3.92.4.1.3
    """
    submission = reading.submission
    operations = operations_of(submission)
    keys = iti57.lock(registry, unit, operations)
    facts = iti57.update_facts(registry, unit, operations, known=keys)
    errors = [
        *reading.errors,
        *restricted_update_rules(submission, operations, facts, registry.domain),
        *object_rules(submission, KIND, registry.domain, reading.unreadable),
    ]
    owner = submission.submission_set
    if errors or owner is None or owner.patient_id is None:
        raise Rejected(errors)
    key = keys[owner.patient_id.key]
    return iti57.carry_out(registry, unit, submission, facts, patient_key=key, caller=caller, kind=KIND)
