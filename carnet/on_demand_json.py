"""On-demand documents as JSON, both directions: from a registry to the repository elsewhere that makes them."""

from typing import Any

from repository.on_demand_source import OnDemandDocument
from xds.metadata import DocumentEntry, SubmissionSet
from xds.metadata_json import from_json, to_json


def write_on_demand(document: OnDemandDocument) -> dict[str, Any]:
    """Its metadata objects, each as the registry keeps it."""
    return {
        "entry": to_json(document.entry).decode(),
        "submissionSet": to_json(document.submission_set).decode(),
        "record": [to_json(one).decode() for one in document.record],
        "snapshot": None if document.snapshot is None else to_json(document.snapshot).decode(),
    }


def read_on_demand(found: dict[str, Any]) -> OnDemandDocument:
    """What `write_on_demand` wrote. Raises KeyError, TypeError, ValueError for anything else."""
    snapshot = found["snapshot"]
    return OnDemandDocument(
        entry=from_json(DocumentEntry, found["entry"]),
        submission_set=from_json(SubmissionSet, found["submissionSet"]),
        record=tuple(from_json(DocumentEntry, one) for one in found["record"]),
        snapshot=None if snapshot is None else from_json(DocumentEntry, snapshot),
    )
