"""Multi-Patient Stored Query [ITI-51]. ITI TF-2: 3.51.

The message, its grammar and the answer are those of Registry Stored Query [ITI-18]; the queries are
others, and their answers may mix patients.
"""

from lxml import etree

from access_policy.caller import Caller
from registry.iti18_registry_stored_query import answered, handle
from registry.store import Registry
from xds.stored_queries import MULTI_PATIENT_STORED_QUERIES

__all__ = ["handle", "soap"]


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`query:AdhocQueryRequest` -> `query:AdhocQueryResponse`."""
    return answered(registry, body, caller, queries=MULTI_PATIENT_STORED_QUERIES)
