"""What is remembered of each exchange, a few hundred octets: what rules about several messages look at."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

from conformance.client.exchanges import Exchange, parsed
from conformance.client.fhir_messages import Resource, each, fed_documents, first, parameters_of, provided
from conformance.client.rules.metadata_reading import (
    HIDING,
    RPLC,
    UPDATE_STATUS,
    Metadata,
    associations,
    entries,
    submission_sets,
)
from conformance.client.rules.patches import asked, changes_in
from conformance.client.rules.patients import patient_of
from conformance.client.rules.queries import FIND_DOCUMENTS, query_of
from conformance.client.rules.rule import child_value
from conformance.client.rules.tokens import PURPOSE, token_of
from conformance.client.rules.vihf_reading import vihf_of
from conformance.nist.registry_objects import DOCUMENT_ENTRY, slot_values
from conformance.nist.xml import text_of

SUCCESS, REFUSED, FAULT, NONE, UNREADABLE, UNRELATED = "success", "refused", "fault", "none", "unreadable", "unrelated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A document that was sent: identifiers and version of its header, and the uniqueId it replaces."""

    unique_id: str
    set_id: str
    number: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry that an answer brought; `stable` is a digest of all but identity, version and confidentiality."""

    entry_uuid: str
    logical_id: str
    unique_id: str
    repository: str
    stable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One exchange in short; `outcome` is what the client was answered, one of the constants above.

    `token`: what tells the VIHF, or the JWT, from any other; `patched`: id or uniqueId of the document that a PATCH is
    about; `changes`: what it, or an update of metadata, comes to.
    """

    id: str
    time: datetime
    step: str
    transaction: str
    outcome: str
    busy: bool
    codes: tuple[str, ...]
    message_id: str
    patient: str
    purpose: str
    assertion: str
    assertion_digest: str
    token: str
    submission: str
    documents: tuple[Version, ...]
    contents: str
    replaced: tuple[str, ...]
    is_search: bool
    found: tuple[Found, ...]
    sent: tuple[Found, ...]
    asked_for: tuple[tuple[str, str], ...]
    authorisation: str
    action: str
    addresses: tuple[str, ...] = ()
    asked_address: str = ""
    patched: str = ""
    changes: tuple[str, ...] = ()


def trace_of(exchange: Exchange) -> Trace:
    """What is remembered."""
    trace = _of_soap(exchange)
    return _with_fhir(trace, exchange) if exchange.received.is_fhir else trace


def _with_fhir(trace: Trace, exchange: Exchange) -> Trace:
    """What FHIR says in another way. MHD 2:3.65 to 2:3.68"""
    bundle, told = exchange.received.resource, exchange.answered.resource
    resources = [one.resource for one in provided(bundle)]
    fed = [one for _entry, one in fed_documents(bundle)]
    contents = b"".join(one.content or b"" for one in fed)
    target = exchange.received.path if trace.transaction == "ITI-68" else ""
    claims = token_of(exchange.received)
    return replace(
        trace,
        outcome=_outcome_of_fhir(exchange),
        purpose=trace.purpose if claims is None else first(claims, PURPOSE),
        token=trace.token if claims is None else first(claims, "jti") or exchange.received.headers["authorization"],
        codes=tuple(map(str, each(told, "issue.details.coding.code"))),
        submission=next(
            (first(one, "identifier.value") for one in resources if "List" in each(one, "resourceType")), ""
        ),
        documents=tuple(_version(one.unique_id, one.content or b"") for one in fed),
        contents=hashlib.sha256(contents).hexdigest() if contents else "",
        replaced=tuple(
            first(link, "target.reference")
            for one in resources
            for link in each(one, "relatesTo")
            if first(link, "code") == "replaces"
        ),
        is_search=trace.transaction == "ITI-67",
        found=tuple(_found_over_fhir(told)),
        addresses=tuple(urlsplit(str(one)).path for one in each(told, "entry.resource.content.attachment.url")),
        asked_address=urlsplit(target).path,
        patched=_patched(exchange.received.path) if trace.transaction == "PATCH" else "",
        changes=tuple(asked(changes_in(exchange))) if trace.transaction == "PATCH" else (),
    )


def _patched(target: str) -> str:
    """The id in the address, or the identifier in its criteria. PDSm 3.1, flow 3"""
    found = dict(parameters_of(target, b"")).get("identifier", "")
    return found.rpartition("|")[2].removeprefix("urn:oid:") or urlsplit(target).path.rpartition("/")[2]


def _found_over_fhir(told: Resource) -> Iterator[Found]:
    """DocumentReferences of a search, those that a Bundle made, and one that was published or changed."""
    for one in (*each(told, "entry.resource"), *([told] if first(told, "resourceType") == "DocumentReference" else [])):
        yield _known(first(one, "id"), first(one, "masterIdentifier.value").removeprefix("urn:oid:"))
    for location in each(told, "entry.response.location"):
        kind, _, identifier = str(location).partition("/_history/")[0].rpartition("/")
        if kind.endswith("DocumentReference"):
            yield _known(identifier, "")


def _known(identifier: str, unique_id: str) -> Found:
    return Found(entry_uuid=identifier, logical_id="", unique_id=unique_id, repository="", stable="")


def _outcome_of_fhir(exchange: Exchange) -> str:
    answered = exchange.answered
    if not answered.head:
        return NONE
    if answered.status == 401:
        return FAULT
    if 200 <= answered.status < 300 and answered.media[0] != "text/html":
        return SUCCESS
    return REFUSED if first(answered.resource, "resourceType") == "OperationOutcome" else UNREADABLE


def _of_soap(exchange: Exchange) -> Trace:
    received, vihf, payload = exchange.received, vihf_of(exchange.received), exchange.received.payload
    assertion = b"" if received.assertion is None else etree.tostring(received.assertion, method="c14n", exclusive=True)
    sets, query = submission_sets(exchange), query_of(exchange)
    contents = b"".join(
        exchange.documents[one.object.id] for one in entries(exchange) if one.object.id in exchange.documents
    )
    return Trace(
        id=exchange.id,
        time=exchange.time,
        step=exchange.step.key,
        transaction=exchange.transaction,
        outcome=_outcome(exchange),
        busy=exchange.answered.status == 503,
        codes=_codes(exchange),
        message_id=received.addressed("MessageID"),
        patient=(vihf.patient if vihf is not None else "") or patient_of(exchange),
        purpose="" if vihf is None else vihf.purpose,
        assertion="" if vihf is None else vihf.id,
        assertion_digest=hashlib.sha256(assertion).hexdigest() if assertion else "",
        token="" if vihf is None else vihf.id,
        submission=sets[0].identifier("uniqueId") if sets else "",
        documents=tuple(_versions(exchange)),
        contents=hashlib.sha256(contents).hexdigest() if contents else "",
        replaced=tuple(one.get("targetObject", "") for one in associations(exchange, RPLC)),
        is_search=query is not None and query.get("id") == FIND_DOCUMENTS,
        found=tuple(_found(Metadata(one)) for one in exchange.found.of(DOCUMENT_ENTRY)),
        sent=tuple(_found(one) for one in entries(exchange)) if exchange.transaction == "ITI-57" else (),
        asked_for=_asked_for(payload),
        authorisation=_authorisation(exchange),
        action="" if payload is None else "".join(text_of(one) for one in payload.findall("{*}action")),
        changes=tuple(_changes(exchange)) if exchange.transaction == "ITI-57" else (),
    )


def _changes(exchange: Exchange) -> Iterator[str]:
    """What an update comes to: `MASQUE_PS` or `-MASQUE_PS` for each code that hides, the new status. DMP 8.6, 8.7"""
    for entry in entries(exchange):
        codes = {code for code, _scheme in entry.codes("confidentialityCode")}
        yield from (one if one in codes else f"-{one}" for one in HIDING)
    for one in associations(exchange, UPDATE_STATUS):
        yield from (value.rpartition(":")[2] for value in slot_values(one, "NewStatus") or [])


def _outcome(exchange: Exchange) -> str:
    answered = exchange.answered
    if not answered.head:
        return NONE
    if answered.payload is None:
        return UNREADABLE
    if etree.QName(answered.payload).localname == "Fault":
        return FAULT
    related, asked = answered.addressed("RelatesTo"), exchange.received.addressed("MessageID")
    if related and asked and related != asked:
        return UNRELATED
    return SUCCESS if exchange.is_success else REFUSED


def _codes(exchange: Exchange) -> tuple[str, ...]:
    payload = exchange.answered.payload
    return () if payload is None else tuple(one.get("errorCode", "") for one in payload.iter("{*}RegistryError"))


def _versions(exchange: Exchange) -> list[Version]:
    return [
        _version(one.identifier("uniqueId"), exchange.documents.get(one.object.id, b"")) for one in entries(exchange)
    ]


def _version(unique_id: str, content: bytes) -> Version:
    root = parsed(content)
    document = None if root is None else next(root.iter("{urn:hl7-org:v3}ClinicalDocument"), None)
    return Version(
        unique_id=unique_id,
        set_id=child_value(document, "setId", "root"),
        number=child_value(document, "versionNumber", "value"),
        parent=child_value(document, "relatedDocument/parentDocument/id", "root"),
    )


def _found(entry: Metadata) -> Found:
    element = entry.object.element
    return Found(
        entry_uuid=entry.object.id,
        logical_id=element.get("lid", ""),
        unique_id=entry.identifier("uniqueId"),
        repository=entry.slot("repositoryUniqueId"),
        stable=stable_digest(entry),
    )


_CODES = ("classCode", "typeCode", "formatCode", "healthcareFacilityTypeCode", "practiceSettingCode", "eventCodeList")
_SLOTS = (
    "creationTime",
    "serviceStartTime",
    "serviceStopTime",
    "languageCode",
    "legalAuthenticator",
    "sourcePatientId",
)


def stable_digest(entry: Metadata) -> str:
    """Of what a change of confidentiality leaves as it is."""
    said: Mapping[str, object] = {
        **{name: sorted(entry.codes(name)) for name in _CODES},
        **{name: entry.slot(name) for name in _SLOTS},
        "title": entry.title,
        "authors": [author.values("authorPerson") for author in entry.authors],
    }
    return hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()


def _asked_for(payload: etree._Element | None) -> tuple[tuple[str, str], ...]:
    """(repositoryUniqueId, uniqueId) of a retrieval."""
    if payload is None:
        return ()
    requests = payload.findall("{*}DocumentRequest")
    names = ("{*}RepositoryUniqueId", "{*}DocumentUniqueId")
    return tuple((_text(one, names[0]), _text(one, names[1])) for one in requests)


def _text(parent: etree._Element, path: str) -> str:
    found = parent.find(path)
    return "" if found is None else text_of(found)


def _authorisation(exchange: Exchange) -> str:
    """AUTORISATION in the answer of TD0.2; empty in others. DMP 3"""
    payload = exchange.answered.payload
    if payload is None or exchange.transaction != "TD0.2":
        return ""
    for line in payload.iter("{*}attentionLine"):
        codes = [one.get("code", "") for one in line.iterchildren("*")]
        if codes[:1] == ["AUTORISATION"]:
            return codes[-1]
    return ""
