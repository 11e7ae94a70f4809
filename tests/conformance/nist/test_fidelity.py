"""What was submitted comes back unchanged."""

from collections.abc import Callable

import pytest
from lxml import etree

from conformance.nist.ebrim21 import to_ebrim3
from conformance.nist.fidelity import Submitted, check_fidelity, remember_submitted
from tests.conformance.kits import RIM, a_document_entry, a_member, a_submission, a_submission_set, slot

R = f"{{{RIM}}}"
ID = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d870001"


def submission() -> etree._Element:
    entry = a_document_entry(ID, uid="1.2.3").replace("</r:Ext", slot("urn:x-extra", "kept", "both") + "</r:Ext")
    return to_ebrim3(etree.fromstring(a_submission(entry, a_submission_set(), a_member("SubmissionSet01", ID))))


def differences(
    change: Callable[[etree._Element], None], *, is_provided: bool = False, keeps_extra: bool = True
) -> list[str]:
    submitted: dict[str, Submitted | None] = {}
    remember_submitted(submission(), submitted, is_provided=is_provided, keeps_extra=keeps_extra)
    returned = submission()
    change(returned.find(f".//{R}ExtrinsicObject"))
    return [finding.reason for finding in check_fidelity(returned, submitted)]


def set_slot(name: str, *values: str) -> Callable[[etree._Element], None]:
    def change(entry: etree._Element) -> None:
        for found in entry.findall(f"{R}Slot"):
            if found.get("name") == name:
                entry.remove(found)
        made = etree.SubElement(etree.SubElement(entry, f"{R}Slot", name=name), f"{R}ValueList")
        for value in values:
            etree.SubElement(made, f"{R}Value").text = value

    return change


def test_what_comes_back_as_it_was_sent_has_no_difference() -> None:
    assert differences(lambda entry: None) == []


def test_the_order_of_values_and_blanks_around_them_do_not_matter() -> None:
    assert differences(set_slot("urn:x-extra", "both ", " kept")) == []


def test_what_the_registry_owns_may_change() -> None:
    def change(entry: etree._Element) -> None:
        entry.set("status", "x")
        entry.set("lid", "x")
        etree.SubElement(entry, f"{R}VersionInfo", versionName="7")
        for part in entry:
            part.attrib.pop("id", None)
        set_slot("documentAvailability", "urn:ihe:iti:2010:DocumentAvailability:Online")(entry)
        set_slot("urn:x-of-the-registry", "1")(entry)

    assert differences(change) == []


@pytest.mark.parametrize("name", ["hash", "size", "repositoryUniqueId"])
def test_a_repository_sets_hash_size_and_its_own_id(name: str) -> None:
    assert differences(set_slot(name, "9"), is_provided=True) == []
    assert len(differences(set_slot(name, "9"))) == 2


def test_hash_and_size_are_compared_by_what_they_mean() -> None:
    assert differences(set_slot("hash", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709")) == []
    assert differences(set_slot("size", "000")) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (set_slot("languageCode", "en"), "languageCode"),
        (set_slot("serviceStartTime", "2024"), "serviceStartTime"),
        (set_slot("urn:x-extra", "kept"), "urn:x-extra"),
        (lambda entry: entry.set("mimeType", "text/xml"), "mimeType"),
        (lambda entry: entry.find(f"{R}Name/{R}LocalizedString").set("value", "x"), "Name"),
        (lambda entry: entry.find(f"{R}Classification").set("nodeRepresentation", "x"), "classification"),
        (lambda entry: entry.find(f"{R}Classification/{R}Name/{R}LocalizedString").set("value", "x"), "classification"),
        (lambda entry: entry.remove(entry.find(f"{R}Classification")), "classification"),
        (lambda entry: entry.find(f"{R}ExternalIdentifier").set("value", "x"), "identifier"),
    ],
)
def test_every_other_change_is_seen(change: Callable[[etree._Element], None], named: str) -> None:
    found = differences(change)
    assert found
    assert all(named in one for one in found)


def test_extra_metadata_may_be_missing_when_the_registry_said_so() -> None:
    assert differences(set_slot("urn:x-extra", "other"), keeps_extra=False) == []


def test_an_object_without_uuid_is_known_by_its_unique_id_while_that_is_its_own() -> None:
    submitted: dict[str, Submitted | None] = {}
    symbolic = to_ebrim3(etree.fromstring(a_submission(a_document_entry("Document01", uid="1.2.3"))))
    remember_submitted(symbolic, submitted, is_provided=False, keeps_extra=True)
    returned = to_ebrim3(etree.fromstring(a_submission(a_document_entry(ID, uid="1.2.3").replace("fr-FR<", "en<"))))
    assert len(list(check_fidelity(returned, submitted))) == 2
    remember_submitted(symbolic, submitted, is_provided=False, keeps_extra=True)
    assert list(check_fidelity(returned, submitted)) == []
