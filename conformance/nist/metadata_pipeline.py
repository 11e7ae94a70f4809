"""From the file of a step to the message as sent: replacement, assigned ids, conversion, wrapping. In fixed order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lxml import etree

from conformance.failures import KitError
from conformance.nist.assigned_ids import assign_patient_id, assign_source_id, assign_unique_ids, assign_uuids
from conformance.nist.ebrim21 import to_ebrim3
from conformance.nist.kit import Section
from conformance.nist.log_tree import StepLog
from conformance.nist.references import resolve_use_ids
from conformance.nist.replacement import has_unresolved, replace_symbols
from conformance.nist.session import Session
from conformance.nist.testplan import Instructions
from conformance.nist.transactions import Kind
from conformance.nist.vocabulary import LCM, RIM, RS_21, XDS_B
from conformance.nist.xml import BadXml, parse, text_of
from conformance.sentence import Sentence

_SUBMISSIONS = (f"{{{RS_21}}}SubmitObjectsRequest", f"{{{LCM}}}SubmitObjectsRequest")
_PROVIDE, _DOCUMENT = f"{{{XDS_B}}}ProvideAndRegisterDocumentSetRequest", f"{{{XDS_B}}}Document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message ready to send; `documents` is id of a Document element → octets that go beside it."""

    payload: etree._Element
    documents: Mapping[str, bytes]


def prepare(
    session: Session,
    section: Section,
    instructions: Instructions,
    log: StepLog,
    *,
    reports: Mapping[str, str],
    alternative_patient_id: str = "",
) -> Prepared:
    """The message of a step; what was assigned goes into its log. `reports` are the resolved UseReports.

    Raises KitError for a file that cannot be used, StepFailed for a reference that leads nowhere.
    """
    payload = _load(instructions.metadata_file)
    replace_symbols(payload, session.external)
    replace_symbols(payload, reports)
    symbols: dict[str, str] = {}
    if instructions.transaction.kind is not Kind.RETRIEVE:
        symbols = resolve_use_ids(session.logs, section, instructions.use_ids)
    if instructions.transaction.is_submission and instructions.parse_metadata:
        replace_patient = alternative_patient_id or session.patient_id
        _assign(session, instructions, log, payload, symbols=symbols, patient_id=replace_patient)
    if instructions.transaction.kind is not Kind.RETRIEVE:
        replace_symbols(payload, _standard_symbols(session))
        replace_symbols(payload, symbols)
    if instructions.clean_parameters:
        _drop_unresolved(payload)
    return _wrapped(payload, instructions, dict(log_uuids(log)))


def log_uuids(log: StepLog) -> list[tuple[str, str]]:
    """Symbol and UUID of everything the step's AssignUuids named."""
    return [(one.get("symbol", ""), one.get("id", "")) for one in log.transaction.findall("AssignedUuids/Assign")]


def _load(path: Path | None) -> etree._Element:
    if path is None:
        raise KitError(
            Sentence(
                "une étape qui envoie un message ne nomme pas de MetadataFile",
                "a step that sends a message names no MetadataFile",
            )
        )
    try:
        return parse(path.read_bytes())
    except OSError as problem:
        raise KitError(
            Sentence(f"{path} illisible : {problem.strerror}", f"{path} cannot be read: {problem.strerror}")
        ) from None
    except BadXml as problem:
        raise KitError(
            Sentence(
                f"{path} n'est pas du XML qui puisse être envoyé : {problem}",
                f"{path} is no XML that can be sent: {problem}",
            )
        ) from None


def _assign(
    session: Session,
    instructions: Instructions,
    log: StepLog,
    payload: etree._Element,
    *,
    symbols: Mapping[str, str],
    patient_id: str,
) -> None:
    if instructions.has_patient_id:
        log.add_assigned("AssignedPatientId", assign_patient_id(payload, patient_id))
    replace_symbols(payload, symbols)
    log.add_assigned("AssignedUids", assign_unique_ids(payload, instructions, session.allocator.unique_id))
    log.add_assigned("AssignedSourceId", assign_source_id(payload, session.source_id))
    if instructions.assign_uuids:
        log.add_assigned("AssignedUuids", assign_uuids(payload))


def _standard_symbols(session: Session) -> dict[str, str]:
    """`$now$` and `$lastyear$` as DTM to the second, UTC; the home community only when the run has one."""
    now = datetime.now(UTC)
    last_year = now - timedelta(days=365)
    symbols = {"$now$": f"{now:%Y%m%d%H%M%S}", "$lastyear$": f"{last_year:%Y%m%d%H%M%S}"}
    home = session.home_community_id
    return symbols | ({"$homeCommunityId$": home, "$configHome$": home} if home else {})


def _drop_unresolved(payload: etree._Element) -> None:
    """Drop query Slots and DocumentRequests that still hold a symbol nothing was found for."""
    for name in (f"{{{RIM}}}Slot", f"{{{XDS_B}}}DocumentRequest"):
        for found in list(payload.iter(name)):
            parent = found.getparent()
            if parent is not None and has_unresolved(text_of(found)):
                parent.remove(found)


def _wrapped(payload: etree._Element, instructions: Instructions, uuids: Mapping[str, str]) -> Prepared:
    is_submission, is_provide = instructions.transaction.is_submission, instructions.transaction.is_provide
    if not is_submission or (not instructions.parse_metadata and not is_provide):
        return Prepared(payload=payload, documents={})
    request = payload if payload.tag in _SUBMISSIONS else _inner(payload, instructions)
    if instructions.parse_metadata and instructions.converts:
        request = to_ebrim3(request)
    if not is_provide:
        return Prepared(payload=request, documents={})
    whole = etree.Element(_PROVIDE, nsmap={"xds": XDS_B})
    whole.append(request)
    for inline in payload.findall(_DOCUMENT):
        whole.append(inline)
    documents = {uuids.get(symbol, symbol): path.read_bytes() for symbol, path in instructions.documents}
    for identifier in documents:
        etree.SubElement(whole, _DOCUMENT, id=identifier)
    return Prepared(payload=whole, documents=documents)


def _inner(payload: etree._Element, instructions: Instructions) -> etree._Element:
    for name in _SUBMISSIONS:
        found = payload.find(f".//{name}")
        if found is not None:
            return found
    file = instructions.metadata_file
    raise KitError(
        Sentence(
            f"{file} : trouvé l'élément {payload.tag}, attendu SubmitObjectsRequest",
            f"{file}: found element {payload.tag}, expected a SubmitObjectsRequest",
        )
    )
