"""Requests that change the registry and the repository, each with the check of its answer.

Numbers of what is prepared for them are far from those that the same transactions are measured with.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.requests import BOUNDARY, ROOT_ID, Request, Workload, registry_request, simple_request
from soap.mtom import content_type_of
from xds.vocabulary import LCM, RIM, RMD, XDS_B

REGISTER = "urn:ihe:iti:2007:RegisterDocumentSet-b"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
RESTRICTED_UPDATE = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"
_REGISTER_ON_DEMAND = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"
_REMOVE_METADATA = "urn:ihe:iti:2010:DeleteDocumentSet"
_REMOVE_DOCUMENTS = "urn:ihe:iti:2017:RemoveDocuments"
_FHIR_JSON = "application/fhir+json"
# Documents that ITI-57 and ITI-92 give one version after the other: in submissions of so many entries.
_UPDATED_SUBMISSIONS, _UPDATED_ENTRIES = 10, 10
# Where the numbers begin of what each of them updates, or what is there to be removed.
_OF_ITI57, _OF_ITI92, _OF_ITI86 = 10**9, 3 * 10**9, 4 * 10**9
# So many are brought, then the same ones removed.
_IN_TURN = 10
Check = Callable[[Workload, int, bytes], str]


def provide_and_register(workload: Workload, number: int) -> Request:
    """ITI-41 with one document of 140 kB."""
    return Request(
        path="/xds/repository",
        content_type=content_type_of(BOUNDARY, ROOT_ID),
        body=workload.submissions.provide_and_register(number, boundary=BOUNDARY, root_id=ROOT_ID),
    )


def provide_bundle(workload: Workload, number: int) -> Request:
    """ITI-65 with one document of 140 kB."""
    return Request(path="/fhir", content_type=_FHIR_JSON, accept=_FHIR_JSON, body=workload.submissions.bundle(number))


def is_created(_workload: Workload, _number: int, answer: bytes) -> str:
    """SubmissionSet, document and octets."""
    found = answer.count(b'"status":"201 Created"')
    return "" if found == 3 else f"found {found} resources created, expected 3: {_shown(answer)}"


def publish(workload: Workload, number: int) -> Request:
    """ITI-105 with one document of 140 kB."""
    body = workload.submissions.publication(number)
    path = "/fhir/DocumentReference"
    return Request(path=path, content_type=_FHIR_JSON, accept=_FHIR_JSON, body=body, status=201)


def is_published(workload: Workload, number: int, answer: bytes) -> str:
    """The DocumentReference that was sent, without its octets."""
    found = json.loads(answer) if answer.startswith(b"{") else {}
    expected = f"urn:oid:{workload.submissions.published_unique_id(number)}"
    is_it = found.get("masterIdentifier", {}).get("value") == expected
    return "" if is_it and '"data"' not in answer.decode() else f"expected {expected}, found {_shown(answer)}"


def generate_metadata(workload: Workload, number: int) -> Request:
    """ITI-106 with one document of 140 kB."""
    path = "/fhir/DocumentReference/$generate-metadata"
    body = workload.submissions.generation(number)
    return Request(path=path, content_type=_FHIR_JSON, accept=_FHIR_JSON, body=body)


def names_reference(_workload: Workload, _number: int, answer: bytes) -> str:
    """Parameters that name the DocumentReference."""
    is_named = b'"valueReference":{"reference":"DocumentReference/' in answer
    return "" if is_named else f"expected a DocumentReference that is named, found {_shown(answer)}"


def register(workload: Workload, number: int, *, entries: int) -> Request:
    """ITI-42."""
    return registry_request(workload.submissions.register(number, entries), REGISTER)


def registered(workload: Workload, number: int, *, entries: int) -> str:
    """entryUUID of the first document of what `register` brings."""
    return workload.submissions.registered_uuid(number, entries)


def register_on_demand(workload: Workload, number: int) -> Request:
    """ITI-61 with one entry."""
    return registry_request(workload.submissions.on_demand(number), _REGISTER_ON_DEMAND)


def _before_updates(workload: Workload, *, first: int) -> Sequence[Request]:
    """Fresh documents."""
    return [register(workload, first + number, entries=_UPDATED_ENTRIES) for number in range(_UPDATED_SUBMISSIONS)]


def updated_document(number: int) -> int:
    """The document whose turn it is: the same one comes back after 100 requests."""
    return number % (_UPDATED_SUBMISSIONS * _UPDATED_ENTRIES)


def _update(workload: Workload, number: int, *, first: int, action: str) -> Request:
    """The next version of a document."""
    version, document = number // (_UPDATED_SUBMISSIONS * _UPDATED_ENTRIES), updated_document(number)
    body = workload.submissions.update(
        first + number,
        stored=first + document // _UPDATED_ENTRIES,
        entries=_UPDATED_ENTRIES,
        place=document % _UPDATED_ENTRIES,
        version=version + 1,
    )
    return registry_request(body, action)


before_iti57, iti57 = partial(_before_updates, first=_OF_ITI57), partial(_update, first=_OF_ITI57, action=UPDATE)
before_iti92 = partial(_before_updates, first=_OF_ITI92)
iti92 = partial(_update, first=_OF_ITI92, action=RESTRICTED_UPDATE)


def brought_or_removed(number: int) -> int:
    """What a request brings, or removes: ten are brought, then these ten removed."""
    return number // (2 * _IN_TURN) * _IN_TURN + number % _IN_TURN


def _removes(number: int) -> bool:
    return number // _IN_TURN % 2 == 1


def register_or_remove(workload: Workload, number: int) -> Request:
    """A submission of one entry registered [ITI-42], the next time removed [ITI-62]."""
    which = brought_or_removed(number)
    if not _removes(number):
        return registry_request(workload.submissions.removable(which), REGISTER)
    references = "".join(f'<rim:ObjectRef id="{one}"/>' for one in workload.submissions.removable_uuids(which))
    body = (
        f'<lcm:RemoveObjectsRequest xmlns:lcm="{LCM}" xmlns:rim="{RIM}"><rim:ObjectRefList>{references}'
        "</rim:ObjectRefList></lcm:RemoveObjectsRequest>"
    )
    return registry_request(body.encode(), _REMOVE_METADATA)


def provide_or_remove(workload: Workload, number: int) -> Request:
    """A document of 140 kB provided [ITI-41], the next time removed [ITI-86]."""
    which = _OF_ITI86 + brought_or_removed(number)
    if not _removes(number):
        return provide_and_register(workload, which)
    body = (
        f'<rmd:RemoveDocumentsRequest xmlns:rmd="{RMD}" xmlns:xds="{XDS_B}"><xds:DocumentRequest>'
        f"<xds:RepositoryUniqueId>{workload.repository}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{workload.submissions.provided_unique_id(which)}</xds:DocumentUniqueId>"
        "</xds:DocumentRequest></rmd:RemoveDocumentsRequest>"
    )
    return simple_request("/xds/repository", body.encode(), _REMOVE_DOCUMENTS)


def _shown(answer: bytes) -> str:
    return answer[:600].decode(errors="replace")
