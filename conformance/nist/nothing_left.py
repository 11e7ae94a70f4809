"""A refused message changes nothing: the registry is asked before and after, by the ids the message holds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from conformance.nist.findings import Finding
from conformance.nist.registry_objects import (
    DOCUMENT_ENTRY,
    FOLDER,
    SUBMISSION_SET,
    read_registry_objects,
)
from conformance.nist.registry_response import read_registry_response
from conformance.nist.transactions import ITI57, ITI62, ITI92, Kind, Transaction
from conformance.nist.vocabulary import (
    GET_ASSOCIATIONS,
    GET_DOCUMENTS,
    GET_FOLDERS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    QUERY,
    RIM,
    UUID_PREFIX,
)
from conformance.sentence import NOTHING, Sentence

_CHECK = "nothing-left"
Ask = Callable[[etree._Element], etree._Element | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question: a stored query with one parameter; `name` says in words what is asked for."""

    name: Sentence
    query: str
    parameter: str
    values: tuple[str, ...]
    is_level_two: bool = False
    is_leaf_class: bool = False


Snapshot = Mapping[Probe, frozenset[str] | str]


def probes_for(transaction: Transaction, payload: etree._Element) -> list[Probe]:
    """What to ask about a message that must be refused; nothing for messages that change no metadata."""
    if transaction is ITI62:
        return list(_removal_probes(payload))
    return list(_submission_probes(transaction, payload)) if transaction.kind is Kind.SUBMISSION else []


def _submission_probes(transaction: Transaction, payload: etree._Element) -> Iterator[Probe]:
    """Objects by uniqueId; stored objects that the message refers to, with their status."""
    objects = read_registry_objects(payload)
    is_update = transaction in (ITI57, ITI92)
    queries = {
        DOCUMENT_ENTRY: (GET_DOCUMENTS, "$XDSDocumentEntryUniqueId", "('{}')"),
        FOLDER: (GET_FOLDERS, "$XDSFolderUniqueId", "('{}')"),
        SUBMISSION_SET: (GET_SUBMISSION_SET_AND_CONTENTS, "$XDSSubmissionSetUniqueId", "'{}'"),
    }
    for one in objects.objects:
        if one.kind in queries and one.unique_id:
            query, parameter, form = queries[one.kind]
            yield Probe(
                name=Sentence(f"{one.kind} d'uniqueId {one.unique_id}", f"{one.kind} with uniqueId {one.unique_id}"),
                query=query,
                parameter=parameter,
                values=(form.format(_doubled(one.unique_id)),),
                is_level_two=is_update,
            )
    own = {one.id for one in objects.objects}
    ends = {one.element.get(end, "") for one in objects.objects for end in ("sourceObject", "targetObject")}
    for reference in sorted(end for end in ends - own if end.startswith(UUID_PREFIX)):
        yield from _reference_probes(reference, is_update=is_update)


def _reference_probes(reference: str, *, is_update: bool) -> Iterator[Probe]:
    """A stored object that is referred to, whatever it is, with its status."""
    questions = (
        ("DocumentEntry", GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID"),
        ("Folder", GET_FOLDERS, "$XDSFolderEntryUUID"),
    )
    for name, query, parameter in questions:
        yield Probe(
            name=Sentence(f"{name} {reference}", f"{name} {reference}"),
            query=query,
            parameter=parameter,
            values=(f"('{reference}')",),
            is_leaf_class=True,
            is_level_two=is_update,
        )


def _removal_probes(payload: etree._Element) -> Iterator[Probe]:
    ids = [one.get("id", "") for one in payload.iter(f"{{{RIM}}}ObjectRef")]
    listed = tuple(f"('{_doubled(one)}')" for one in ids if one.startswith(UUID_PREFIX))
    questions = (
        ("DocumentEntries", GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID"),
        ("Folders", GET_FOLDERS, "$XDSFolderEntryUUID"),
        ("Associations", GET_ASSOCIATIONS, "$uuid"),
    )
    for name, query, parameter in questions if listed else ():
        yield Probe(
            name=Sentence(f"{name} nommés dans la suppression", f"{name} named in the removal"),
            query=query,
            parameter=parameter,
            values=listed,
            is_level_two=True,
        )


def _doubled(text: str) -> str:
    return text.replace("'", "''")


def take_snapshot(probes: list[Probe], ask: Ask) -> Snapshot:
    """For each probe the ids (and statuses) found, or the reason why it could not be asked."""
    return {probe: _answer(ask(to_query(probe))) for probe in probes}


def to_query(probe: Probe) -> etree._Element:
    """The AdhocQueryRequest of a probe."""
    request = etree.Element(f"{{{QUERY}}}AdhocQueryRequest", nsmap={"query": QUERY, "rim": RIM})
    kind = "LeafClass" if probe.is_leaf_class else "ObjectRef"
    etree.SubElement(request, f"{{{QUERY}}}ResponseOption", returnType=kind, returnComposedObjects="true")
    query = etree.SubElement(request, f"{{{RIM}}}AdhocQuery", id=probe.query)
    _add_slot(query, probe.parameter, *probe.values)
    if probe.is_level_two:
        _add_slot(query, "$MetadataLevel", "2")
    return request


def _add_slot(query: etree._Element, name: str, *values: str) -> None:
    """A list may be spread over several Values; one Value has at most 256 characters."""
    value_list = etree.SubElement(etree.SubElement(query, f"{{{RIM}}}Slot", name=name), f"{{{RIM}}}ValueList")
    for value in values:
        etree.SubElement(value_list, f"{{{RIM}}}Value").text = value


def _answer(payload: etree._Element | None) -> frozenset[str] | str:
    if payload is None:
        return Sentence("pas de réponse", "no answer")
    response = read_registry_response(payload)
    if response.status_word != "Success":
        return "; ".join(str(error) for error in response.errors) or response.status or NOTHING
    objects = read_registry_objects(payload)
    return frozenset((*objects.object_refs, *(f"{one.id} {one.element.get('status')}" for one in objects.objects)))


def compare(before: Snapshot, after: Snapshot) -> Iterator[Finding]:
    """Every difference fails the step; a probe that could not be asked is a remark."""
    for probe, old in before.items():
        new = after[probe]
        if isinstance(old, str) or isinstance(new, str):
            yield Finding(
                check=_CHECK,
                reason=Sentence(
                    f"il n'a pas pu être vérifié que rien n'a changé ({probe.name.fr})",
                    f"it could not be checked that nothing changed ({probe.name})",
                ),
                found=old if isinstance(old, str) else new if isinstance(new, str) else "",
                is_remark=True,
            )
        elif old != new:
            yield Finding(
                check=_CHECK,
                reason=Sentence(
                    f"le message refusé a changé quelque chose : {probe.name.fr}",
                    f"the refused message changed something: {probe.name}",
                ),
                expected=", ".join(sorted(old)) or NOTHING,
                found=", ".join(sorted(new)) or NOTHING,
            )
