"""ExpectedContents: counts, statuses, and the shapes of submissions."""

import pytest

from conformance.nist.expected_contents import check_contents
from conformance.nist.registry_objects import read_registry_objects
from conformance.nist.registry_response import read_registry_response
from conformance.nist.testplan import EntryExpectation, Expectation, UseId
from tests.conformance.kits import a_query_response, element

STATUS = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
SNAPSHOT = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
STABLE, ON_DEMAND = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1", "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
SET_NODE, FOLDER_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"


def doc(id: str = "d", status: str = "Approved", type: str = STABLE) -> str:
    return f'<r:ExtrinsicObject id="{id}" status="{STATUS}{status}" objectType="{type}"/>'


def package(id: str, node: str, status: str = "Approved") -> str:
    return (
        f'<r:RegistryPackage id="{id}" status="{STATUS}{status}">'
        f'<r:Classification classifiedObject="{id}" classificationNode="{node}"/></r:RegistryPackage>'
    )


def ss(status: str = "Approved") -> str:
    return package("s", SET_NODE, status)


def fol(status: str = "Approved") -> str:
    return package("f", FOLDER_NODE, status)


def link(source: str, target: str, type: str = MEMBER, id: str = "") -> str:
    return f'<r:Association id="{id or source + target}" sourceObject="{source}" targetObject="{target}" associationType="{type}"/>'


def ref(id: str) -> str:
    return f'<r:ObjectRef id="{id}"/>'


ONE_DOC = (ss(), doc(), link("s", "d"))
ONE_DOC_ONE_FOL = (ss(), doc(), fol(), link("s", "d"), link("s", "f"), link("f", "d"), link("s", "fd"))
TWO_DOC = (ss(), doc("d"), doc("e"), link("s", "d"), link("s", "e"))
TWO_DOC_ONE_FOL = (*TWO_DOC, fol(), link("s", "f"), link("f", "d"), link("f", "e"), link("s", "fd"), link("s", "fe"))
TWO_DOC_ONE_IN = (*TWO_DOC, fol(), link("s", "f"), link("f", "d"), link("s", "fd"))


def passes(name: str, *objects: str, count: int | None = None, status: str = "Success") -> bool:
    payload = element(a_query_response(*objects, status=status))
    expectation = Expectation(name=name, count=count)
    response, found = read_registry_response(payload), read_registry_objects(payload)
    return not list(check_contents([expectation], found, response, entry_ids={}))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("None", (), (doc(),)),
        ("NoSubmissionSet", (doc(),), (ss(),)),
        ("NoDocument", (ss(),), (doc(),)),
        ("SSApproved", ONE_DOC, (ss("Deprecated"),)),
        ("DocApp", (), (doc(), doc("e", "Deprecated"))),
        ("DocDep", (doc(status="Deprecated"),), (doc(),)),
        ("OneDocApp", (doc(), doc("e", "Deprecated")), (doc(), doc("e"))),
        ("OneDocDep", (doc(), doc("e", "Deprecated")), (doc(),)),
        ("FolApp", (fol(),), (fol("Deprecated"),)),
        ("FolDep", (fol("Deprecated"),), (fol(),)),
        ("SSwithOneDoc", ONE_DOC, (ss(), doc(), link("d", "s"))),
        ("SSwithOneDoc", ONE_DOC, (ss(), doc(), link("s", "d", RPLC))),
        ("SSwithOneDoc", ONE_DOC, (ss("Deprecated"), doc(), link("s", "d"))),
        ("SSwithOneDocOnly", (ss("Deprecated"), doc(), link("s", "d")), (ss(), doc())),
        ("SSwithTwoDoc", TWO_DOC, (*TWO_DOC[:-1], link("s", "d", id="again"))),
        ("SSwithTwoDocOnly", TWO_DOC, ONE_DOC),
        ("SSwithOneFol", (ss(), fol(), link("s", "f")), (ss(), fol(), link("f", "s"))),
        ("SSwithOneDocOneFol", ONE_DOC_ONE_FOL, ONE_DOC_ONE_FOL[:-1]),
        ("SSwithOneDocOneFol", ONE_DOC_ONE_FOL, (*ONE_DOC_ONE_FOL[:-1], link("s", "zz"))),
        ("SSwithTwoDocOneFol", TWO_DOC_ONE_FOL, TWO_DOC_ONE_IN),
        ("SSwithTwoDocOneFolOneDocInFol", TWO_DOC_ONE_IN, TWO_DOC_ONE_FOL),
        ("HasRPLC", (link("a", "b", RPLC),), (link("a", "b"),)),
        ("HasRPLC", (link("a", "b", RPLC),), (link("a", "b", RPLC), link("c", "b", RPLC))),
        ("DocRplcDoc", (link("a", "b", RPLC),), ()),
        ("HasAPND", (link("a", "b", RPLC.replace("RPLC", "APND")),), (link("a", "b", RPLC),)),
        ("HasXFRM_RPLC", (link("a", "b", RPLC.replace("RPLC", "XFRM_RPLC")),), (link("a", "b", RPLC),)),
        (
            "HasSnapshotPattern",
            (doc("d"), doc("o", type=ON_DEMAND), link("d", "o", SNAPSHOT)),
            (doc("d"), doc("o", type=ON_DEMAND), link("o", "d", SNAPSHOT)),
        ),
        (
            "HasSnapshotPattern",
            (doc("d"), doc("o", type=ON_DEMAND), link("d", "o", SNAPSHOT)),
            (link("d", "o", SNAPSHOT),),
        ),
    ],
)
def test_patterns(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    assert passes(name, *good)
    assert not passes(name, *bad)


@pytest.mark.parametrize(
    ("name", "one"),
    [("Documents", doc()), ("Folders", fol()), ("SubmissionSets", ss()), ("Associations", link("a", "b"))],
)
def test_counts_are_exact(name: str, one: str) -> None:
    assert passes(name, one, count=1)
    assert passes(name, count=0)
    assert not passes(name, one, count=2)
    assert not passes(name, one, count=0)


def test_object_refs_come_without_objects() -> None:
    assert passes("ObjectRefs", ref("a"), ref("b"), count=2)
    assert not passes("ObjectRefs", ref("a"), count=2)
    assert not passes("ObjectRefs", ref("a"), doc(), count=1)


def test_a_valid_registry_response_is_no_failure() -> None:
    assert passes("RegistryResponseIsValid")
    assert not passes("RegistryResponseIsValid", status="Failure")


def test_a_classification_node_beside_the_package_counts_too() -> None:
    bare = f'<r:RegistryPackage id="s" status="{STATUS}Approved"/>'
    node = f'<r:Classification classifiedObject="s" classificationNode="{SET_NODE}"/>'
    assert passes("SubmissionSets", bare, node, count=1)
    assert passes("SubmissionSets", bare, count=0)


def entry_findings(mode: str, type: str, *objects: str) -> list[str]:
    use = UseId(id="D", symbol="$d$", step="s", section="AssignedUuids")
    expected = EntryExpectation(mode=mode, use_id=use, object_type=type)
    payload = element(a_query_response(*objects))
    found = check_contents(
        [Expectation(name="DocumentEntries", entries=(expected,))],
        read_registry_objects(payload),
        read_registry_response(payload),
        entry_ids={expected: "d"},
    )
    return [finding.reason for finding in found]


def test_entries_that_must_be_there_with_their_type() -> None:
    assert entry_findings("Include", STABLE, doc("d"), doc("e")) == []
    assert "is not in the result" in entry_findings("Include", "", doc("e"))[0]
    assert "has objectType" in entry_findings("Include", ON_DEMAND, doc("d"))[0]


def test_entries_that_must_not_be_there_and_those_that_must_be_alone() -> None:
    assert entry_findings("Exclude", "", doc("e")) == []
    assert "must not be" in entry_findings("Exclude", "", doc("d"))[0]
    assert entry_findings("MustOnlyInclude", "", doc("d")) == []
    assert "other entries too: e" in entry_findings("MustOnlyInclude", "", doc("d"), doc("e"))[0]
