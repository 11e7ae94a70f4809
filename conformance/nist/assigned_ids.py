"""Ids the runner writes into a submission: patient ids, uniqueIds, sourceId, UUIDs. Each returns (symbol, value) pairs.

A symbol is the `id` that the object has in the file. Both versions of ebRIM are handled.
"""

from collections.abc import Callable, Iterator

from lxml import etree

from conformance.failures import StepFailed
from conformance.nist.identifiers import new_uuid
from conformance.nist.testplan import Instructions
from conformance.nist.vocabulary import PATIENT_ID_SCHEMES, SOURCE_ID_SCHEME, UNIQUE_ID_SCHEMES, UUID_PREFIX
from conformance.nist.xml import local_name
from conformance.sentence import NOTHING, Sentence

Assigned = tuple[tuple[str, str], ...]
_OBJECTS = frozenset(("ExtrinsicObject", "RegistryPackage"))
_REFERENCES = ("classifiedObject", "sourceObject", "targetObject", "registryObject")


def assign_patient_id(metadata: etree._Element, patient_id: str) -> Assigned:
    """Write the patient id into every DocumentEntry, SubmissionSet and Folder; sourcePatientId stays."""
    return _assign(metadata, PATIENT_ID_SCHEMES, lambda symbol: patient_id)


def assign_unique_ids(metadata: etree._Element, instructions: Instructions, new: Callable[[], str]) -> Assigned:
    """A new uniqueId for every DocumentEntry, SubmissionSet and Folder but those the plan keeps."""
    if instructions.keep_all_unique_ids:
        return ()
    schemes = UNIQUE_ID_SCHEMES - frozenset(instructions.kept_schemes)
    return _assign(metadata, schemes, lambda symbol: "" if symbol in instructions.kept_unique_ids else new())


def assign_source_id(metadata: etree._Element, source_id: str) -> Assigned:
    return _assign(metadata, frozenset((SOURCE_ID_SCHEME,)), lambda symbol: source_id)


def assign_uuids(metadata: etree._Element) -> Assigned:
    """A UUID for every symbolic id, and for the references to it. Raises StepFailed for a reference to nothing."""
    uuids = {symbol: new_uuid() for symbol in _symbolic_ids(metadata)}
    for element in metadata.iter("*"):
        if element.get("id") in uuids:
            element.set("id", uuids[element.get("id", "")])
        for name in _REFERENCES:
            _follow(element, name, uuids)
    return tuple(uuids.items())


def _symbolic_ids(metadata: etree._Element) -> Iterator[str]:
    for element in metadata.iter("*"):
        found = element.get("id", "")
        if found and not found.startswith(UUID_PREFIX):
            yield found


def _follow(element: etree._Element, name: str, uuids: dict[str, str]) -> None:
    reference = element.get(name)
    if reference is None or reference.startswith(UUID_PREFIX):
        return
    if reference not in uuids:
        where, named = f"{local_name(element)}/@{name}", reference or NOTHING
        raise StepFailed(
            Sentence(
                f"{where} renvoie à {named}, qui n'est pas dans le fichier",
                f"{where} refers to {named}, which the file lacks",
            )
        )
    element.set(name, uuids[reference])


def _assign(metadata: etree._Element, schemes: frozenset[str], value_for: Callable[[str], str]) -> Assigned:
    """Set the value of the identifiers of these schemes; an empty new value keeps the old one."""
    assigned = []
    for identifier in metadata.iter("{*}ExternalIdentifier"):
        owner = identifier.getparent()
        if identifier.get("identificationScheme") in schemes and owner is not None and local_name(owner) in _OBJECTS:
            symbol = owner.get("id", "")
            value = value_for(symbol)
            if value:
                identifier.set("value", value)
                assigned.append((symbol, value))
    return tuple(assigned)
