"""Register On-Demand Document Entry [ITI-61]. ITI TF-2: 3.61."""

from lxml import etree

from access_policy.caller import Caller
from registry import iti42_register_document_set_b as iti42
from registry.answers import submission_answer
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.metadata import RegistryObject


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`lcm:SubmitObjectsRequest` -> `rs:RegistryResponse`."""
    return submission_answer(registry, body, caller, handle)


def handle(registry: Registry, unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryObject, ...]:
    """Register on-demand entries: Register Document Set-b with demands of its own. ITI TF-2: 3.61.4.1.3"""
    return iti42.handle(registry, unit, reading, caller, kind=SubmissionKind.ON_DEMAND)
