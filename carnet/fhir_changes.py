"""PATCH of DocumentReference at the FHIR door. PDSm flows 3 and 4; FHIR R4 3.1.0.6."""

from collections.abc import Callable

import flask

from access_policy.caller import Caller
from audit.occurrence import Occurrence
from carnet.auditing import Auditor
from carnet.fhir_answers import changed
from carnet.fhir_bodies import read_body, sent_type
from carnet.fhir_formats import wanted
from fhir_facade import patch_document_reference
from fhir_facade.conditional import the_one
from fhir_facade.operation_outcome import not_found
from fhir_facade.patches import read_patch
from registry.store import Registry
from xds.identifiers import UUID_PREFIX

_UPDATE = "ITI-57"


def add_changes(
    door: flask.Blueprint,
    registry: Registry,
    *,
    base_url: str,
    caller_of: Callable[..., Caller],
    auditor: Auditor,
) -> None:
    """`caller_of` gives the caller that may run a transaction, and refuses any other.

    A change that is made is on record as the ITI-57 it is, with the change; one that is refused, here.
    """

    @door.patch("/DocumentReference")
    def patch_found() -> flask.Response:
        wanted()
        caller = caller_of(_UPDATE)
        caller_of("ITI-67", "DocumentReference.s")  # the criteria tell what there is
        query = [one for one in flask.request.args.items(multi=True) if one[0] not in ("_format", "_pretty")]
        with auditor.change(Occurrence(event=_UPDATE), caller):
            found = the_one(registry, query, caller, base_url=base_url)
            if not found:
                raise not_found()
        return _patched(found, caller)

    @door.patch("/DocumentReference/<fhir_id>")
    def patch(fhir_id: str) -> flask.Response:
        wanted()
        return _patched(fhir_id, caller_of(_UPDATE))

    def _patched(fhir_id: str, caller: Caller) -> flask.Response:
        with auditor.change(auditor.read(_UPDATE, f"{UUID_PREFIX}{fhir_id}"), caller):
            media_type, _ = sent_type()
            resource = patch_document_reference.handle(
                registry,
                fhir_id,
                read_patch(media_type, read_body()),
                caller,
                base_url=base_url,
                if_match=flask.request.headers.get("If-Match", ""),
            )
        return changed(resource)
