"""ebRIM 2.1 → 3.0, rule by rule."""

from lxml import etree

from conformance.nist.ebrim21 import to_ebrim3
from tests.conformance.kits import RIM, a_code, a_document_entry, a_member, a_submission, a_submission_set

R = f"{{{RIM}}}"


def converted(*objects: str) -> etree._Element:
    return to_ebrim3(etree.fromstring(a_submission(*objects)))[0]


def test_the_result_is_a_list_of_ebrim_3_without_object_refs() -> None:
    listed = converted()
    assert listed.tag == f"{R}RegistryObjectList"
    assert [etree.QName(one).localname for one in listed] == [
        "ExtrinsicObject",
        "RegistryPackage",
        "Classification",
        "Association",
    ]
    assert all(one.tag.startswith(R) for one in listed.iter("*"))


def test_children_are_ordered_as_the_schema_wants_them() -> None:
    entry = converted()[0]
    names = [etree.QName(one).localname for one in entry]
    order = ["Slot", "Name", "Description", "Classification", "ExternalIdentifier"]
    assert names == sorted(names, key=order.index)
    assert [one.get("name") for one in entry.findall(f"{R}Slot")][:2] == ["creationTime", "hash"]


def test_short_status_and_association_types_become_urns() -> None:
    entry = converted()[0]
    assert entry.get("status") == "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    types = {}
    for type in ("HasMember", "RPLC", "signs", "urn:x:Y"):
        types[type] = converted(a_member("a", "b", type=type))[0].get("associationType")
    assert types == {
        "HasMember": "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
        "RPLC": "urn:ihe:iti:2007:AssociationType:RPLC",
        "signs": "urn:ihe:iti:2007:AssociationType:signs",
        "urn:x:Y": "urn:x:Y",
    }


def test_versions_are_dropped_languages_renamed_and_other_attributes_kept() -> None:
    entry = converted(a_document_entry(lid="L"))[0]
    assert entry.get("majorVersion") is None
    assert entry.get("lid") == "L"
    assert entry.find(f"{R}Name/{R}LocalizedString").attrib == {
        "{http://www.w3.org/XML/1998/namespace}lang": "fr-FR",
        "value": "Compte rendu",
    }


def test_parts_get_type_id_and_owner() -> None:
    entry, package, node, association = converted()
    prefix = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
    assert entry.get("objectType").startswith("urn:uuid:")
    assert [one.get("objectType") for one in (package, node, association)] == [
        f"{prefix}{name}" for name in ("RegistryPackage", "Classification", "Association")
    ]
    identifiers = entry.findall(f"{R}ExternalIdentifier")
    assert {one.get("registryObject") for one in identifiers} == {"Document01"}
    ids = [one.get("id") for one in association.getparent().iter("*") if one.get("id")]
    assert len(ids) == len(set(ids))


def test_ebrim_3_is_normalised_too() -> None:
    once = to_ebrim3(etree.fromstring(a_submission()))
    assert etree.tostring(to_ebrim3(once), method="c14n") == etree.tostring(once, method="c14n")


def test_values_keep_their_blanks_and_nodes_stay_beside_the_packages() -> None:
    entry = converted()[0]
    assert entry.find(f"{R}Slot/{R}ValueList/{R}Value").text == " 20240101 "
    assert converted(a_submission_set())[1].get("classificationNode")


def test_a_classification_keeps_its_scheme_slot_first() -> None:
    code = converted(a_code("x", "41a5887f-8865-4c09-adf7-e362475b143a", "c"))[0]
    assert [etree.QName(one).localname for one in code] == ["Slot", "Name"]
