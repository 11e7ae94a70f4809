"""Reading the transaction element of a step: every instruction is one row of the table at the end."""

from collections.abc import Mapping
from pathlib import Path

from lxml import etree

from conformance.failures import UnsupportedPlan
from conformance.nist.plan_place import Draft, Place, Reader, append, flag, ignore, known_children, text
from conformance.nist.testplan import Assertion, EntryExpectation, Expectation, Instructions, Report, UseId, UseReport
from conformance.nist.transactions import TRANSACTIONS
from conformance.nist.xml import elements, text_of
from conformance.sentence import sentence_of

COUNTED = frozenset(("Documents", "Folders", "SubmissionSets", "Associations", "ObjectRefs"))
PATTERNS = frozenset(
    (
        *("None", "NoSubmissionSet", "NoDocument", "SSApproved", "DocApp", "DocDep", "OneDocApp", "OneDocDep"),
        *("FolApp", "FolDep", "SSwithOneDoc", "SSwithTwoDoc", "SSwithOneFol", "SSwithOneDocOneFol"),
        *("SSwithTwoDocOneFol", "SSwithTwoDocOneFolOneDocInFol", "SSwithOneDocOnly", "SSwithTwoDocOnly"),
        *("HasRPLC", "HasAPND", "HasXFRM_RPLC", "DocRplcDoc", "HasSnapshotPattern", "RegistryResponseIsValid"),
    )
)


def read_instructions(element: etree._Element, place: Place) -> Instructions:
    """The instructions of a transaction element. Raises KitError, UnsupportedPlan."""
    draft: Draft = {"transaction": TRANSACTIONS[element.tag], "element": element}
    for child in elements(element):
        if child.tag not in _INSTRUCTIONS:
            raise place.problem(
                child,
                f"trouvé l'élément {child.tag}, qu'aucun {element.tag} ne peut avoir",
                f"found element {child.tag}, which no {element.tag} may have",
            )
        _INSTRUCTIONS[child.tag](draft, child, place)
    instructions = Instructions(**draft)
    if instructions.transaction.sends_file and instructions.metadata_file is None:
        raise place.problem(
            element, f"{element.tag} ne nomme pas de MetadataFile", f"{element.tag} names no MetadataFile"
        )
    return instructions


def _read_use_id(element: etree._Element, place: Place) -> UseId:
    return UseId(
        **{name: place.needed(element, name) for name in ("id", "symbol", "step", "section")},
        testdir=element.get("testdir", ""),
    )


def _read_use_report(element: etree._Element, place: Place) -> UseReport:
    return UseReport(
        report_name=place.needed(element, "reportName"),
        use_as=place.needed(element, "useAs"),
        step=place.needed(element, "step"),
        section=element.get("section", ""),
        test=element.get("test", ""),
    )


def _read_report(element: etree._Element, place: Place) -> Report:
    return Report(name=place.needed(element, "name"), section=place.needed(element, "section"), xpath=text_of(element))


def _read_assign_uuids(draft: Draft, element: etree._Element, place: Place) -> None:
    draft["assign_uuids"] = True
    draft["kept_schemes"] = tuple(
        place.needed(child, "value") for child in known_children(element, place, frozenset(("Exclude",)))
    )


def _read_no_assign_uids(draft: Draft, element: etree._Element, place: Place) -> None:
    """With an id: only that object keeps its uniqueId; without: all do."""
    if element.get("id"):
        draft["kept_unique_ids"] = (*draft.get("kept_unique_ids", ()), element.get("id"))
    else:
        draft["keep_all_unique_ids"] = True


def _read_metadata_file(draft: Draft, element: etree._Element, place: Place) -> None:
    draft["metadata_file"] = place.file(element)


def _read_parse_metadata(draft: Draft, element: etree._Element, place: Place) -> None:
    draft["parse_metadata"] = text_of(element).lower() != "false"


def _read_wait(draft: Draft, element: etree._Element, place: Place) -> None:
    if not text_of(element).isdigit():
        found = text_of(element)
        raise place.problem(
            element,
            f"WaitBefore : trouvé {found!r}, attendu des millisecondes",
            f"WaitBefore: found {found!r}, expected milliseconds",
        )
    draft["wait_milliseconds"] = int(text_of(element))


def _read_document(element: etree._Element, place: Place) -> tuple[str, Path]:
    return place.needed(element, "id"), place.file(element)


def _read_assertions(draft: Draft, element: etree._Element, place: Place) -> None:
    for child in known_children(element, place, frozenset(("DataRef", "Assert"))):
        if child.tag == "DataRef":
            found = (place.needed(child, "file"), place.needed(child, "as"))
            draft["data_references"] = (*draft.get("data_references", ()), found)
        elif child.get("process") or len(child):
            told = "un Assert avec traitement n'est pas pris en charge", "an Assert with processing is not supported"
            raise UnsupportedPlan(sentence_of(place.problem(child, *told)))
        else:
            assertion = Assertion(id=child.get("id", ""), xpath=text_of(child))
            draft["assertions"] = (*draft.get("assertions", ()), assertion)


def _read_soap_header(draft: Draft, element: etree._Element, place: Place) -> None:
    draft["soap_headers"] = tuple(etree.tostring(child, with_tail=False) for child in elements(element))


def _read_expected_contents(draft: Draft, element: etree._Element, place: Place) -> None:
    draft["expected_contents"] = tuple(_read_expectation(child, place) for child in elements(element))


def _read_expectation(element: etree._Element, place: Place) -> Expectation:
    if element.tag in COUNTED:
        count = place.needed(element, "count")
        if not count.isdigit():
            raise place.problem(
                element,
                f"{element.tag}/@count : trouvé {count!r}, attendu un nombre",
                f"{element.tag}/@count: found {count!r}, expected a number",
            )
        return Expectation(name=element.tag, count=int(count))
    if element.tag == "DocumentEntries":
        return Expectation(name=element.tag, entries=tuple(_read_entries(element, place)))
    if element.tag not in PATTERNS:
        raise place.problem(
            element,
            f"trouvé l'élément {element.tag}, qu'ExpectedContents ne peut avoir",
            f"found element {element.tag}, which ExpectedContents may not have",
        )
    return Expectation(name=element.tag)


def _read_entries(element: etree._Element, place: Place) -> list[EntryExpectation]:
    modes = frozenset(("Include", "Exclude", "MustOnlyInclude"))
    return [
        EntryExpectation(
            mode=mode.tag,
            use_id=_read_use_id(_only(entry, "UseId", place), place),
            object_type=(entry.findtext("DocumentEntryType") or "").strip(),
        )
        for mode in known_children(element, place, modes)
        for entry in known_children(mode, place, frozenset(("DocumentEntry",)))
    ]


def _only(parent: etree._Element, name: str, place: Place) -> etree._Element:
    found = parent.findall(name)
    if len(found) != 1:
        raise place.problem(
            parent,
            f"{parent.tag} : trouvé {len(found)} {name}, attendu un seul",
            f"{parent.tag}: found {len(found)} {name}, expected one",
        )
    return found[0]


def _unsupported(draft: Draft, element: etree._Element, place: Place) -> None:
    told = (
        f"l'instruction {element.tag} n'est pas prise en charge",
        f"the instruction {element.tag} is not supported",
    )
    raise UnsupportedPlan(sentence_of(place.problem(element, *told)))


_INSTRUCTIONS: Mapping[str, Reader] = {
    "MetadataFile": _read_metadata_file,
    "XDSb": ignore,
    "SOAP12": ignore,
    "NoMetadata": ignore,
    "InteractionSequence": ignore,
    "WSSECHeader": ignore,
    "Goal": ignore,
    "Rule": ignore,
    "NoPatientId": flag("has_patient_id", value=False),
    "AssignUuids": _read_assign_uuids,
    "NoAssignUids": _read_no_assign_uids,
    "ParseMetadata": _read_parse_metadata,
    "NoConvert": flag("converts", value=False),
    "NoMTOM": flag("is_mtom_wanted", value=False),
    "CleanParams": flag("clean_parameters"),
    "WaitBefore": _read_wait,
    "UseId": append("use_ids", _read_use_id),
    "UseReport": append("use_reports", _read_use_report),
    "Report": append("reports", _read_report),
    "Document": append("documents", _read_document),
    "ExpectedContents": _read_expected_contents,
    "Assertions": _read_assertions,
    "ReferenceMetadata": append(
        "reference_metadata", lambda element, place: (element.get("testdir", ""), place.needed(element, "step"))
    ),
    "ReferenceDocument": append(
        "reference_documents", lambda element, place: (place.needed(element, "uid"), text_of(element))
    ),
    "ExpectedMimeType": text("expected_mime_type"),
    "SOAPHeader": _read_soap_header,
    "CreateNewPatientId": flag("new_patient_id"),
    "PatientID": text("fed_patient_id"),
    **dict.fromkeys(
        ("XDSa", "SOAP11", "ASync", "UseObjectRef", "UseXPath", "UseRepositoryUniqueId", "AssignNewUuid"), _unsupported
    ),
}
