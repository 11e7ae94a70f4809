"""From a file to the message as sent."""

from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from conformance.failures import KitError, StepFailed
from conformance.nist.codes import NO_CODES
from conformance.nist.identifiers import Allocator
from conformance.nist.kit import Section
from conformance.nist.log_tree import StepLog, start_step
from conformance.nist.metadata_pipeline import Prepared, prepare
from conformance.nist.read_testplan import read_plan
from conformance.nist.session import Session
from conformance.nist.testplan import Step
from tests.conformance.kits import (
    RIM,
    a_document_entry,
    a_member,
    a_plan,
    a_query,
    a_step,
    a_submission,
    a_submission_set,
)

R = f"{{{RIM}}}"
PATIENT = "P1^^^&2.25.7000&ISO"
DE_UID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
DE_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"


@pytest.fixture
def session() -> Session:
    allocator = Allocator(authority="2.25.7000")
    return Session(
        allocator=allocator,
        patients={},
        source_id="2.25.7002",
        codes=NO_CODES,
        home_community_id="urn:oid:2.25.5",
        patient_id=PATIENT,
        external={"$patientid$": "EXTERNAL"},
    )


class Sent:
    """A prepared message and the log of its step."""

    def __init__(self, prepared: Prepared, log: StepLog) -> None:
        self.payload, self.documents, self.log = prepared.payload, prepared.documents, log

    def identifier(self, scheme: str) -> str:
        return next(
            one.get("value")
            for one in self.payload.iter(f"{R}ExternalIdentifier")
            if one.get("identificationScheme") == scheme
        )

    def assigned(self, name: str) -> dict[str, str]:
        return {one.get("symbol"): one.get("id") for one in self.log.transaction.findall(f"{name}/Assign")}


def send(
    session: Session,
    folder: Path,
    instructions: str = "",
    *,
    content: str = "",
    element: str = "RegisterTransaction",
    reports: dict[str, str] | None = None,
    alternative: str = "",
) -> Sent:
    (folder / "m.xml").write_text(content or a_submission())
    plan = a_step(f"<{element}><MetadataFile>m.xml</MetadataFile>{instructions}</{element}>")
    (folder / "testplan.xml").write_text(a_plan(plan))
    (step,) = read_plan(folder / "testplan.xml").steps
    assert step.instructions is not None
    section, log = Section(test="1", name="a", folder=folder), start_step(step)
    if ("1", "a") not in session.logs.sections:
        session.logs.start(section)
    prepared = prepare(
        session, section, step.instructions, log, reports=reports or {}, alternative_patient_id=alternative
    )
    return Sent(prepared, log)


def earlier_step(session: Session, folder: Path, **assigned: dict[str, str]) -> None:
    """A step `before` of this section that has assigned ids."""
    log = session.logs.start(Section(test="1", name="a", folder=folder))
    step_log = start_step(Step(id="before"))
    for name, values in assigned.items():
        step_log.add_assigned(name, values.items())
    log.steps["before"] = step_log


def test_the_session_patient_goes_everywhere_but_into_source_patient_id(session: Session, tmp_path: Path) -> None:
    sent = send(session, tmp_path)
    assert sent.identifier(DE_PATIENT) == PATIENT
    assert sent.assigned("AssignedPatientId") == {"Document01": PATIENT, "SubmissionSet01": PATIENT}
    assert "LOCAL-1^^^&2.25.7004&ISO" in sent.payload.xpath("//text()")


def test_without_patient_id_the_file_decides_external_parameters_before_reports(
    session: Session, tmp_path: Path
) -> None:
    sent = send(session, tmp_path, "<NoPatientId/>", reports={"$patientid$": "REPORT"})
    assert sent.identifier(DE_PATIENT) == "EXTERNAL"
    session.external = {}
    assert (
        send(session, tmp_path, "<NoPatientId/>", reports={"$patientid$": "REPORT"}).identifier(DE_PATIENT) == "REPORT"
    )


def test_an_alternative_patient_is_used_for_this_step_only(session: Session, tmp_path: Path) -> None:
    assert send(session, tmp_path, alternative="P2").identifier(DE_PATIENT) == "P2"
    assert send(session, tmp_path).identifier(DE_PATIENT) == PATIENT


def test_unique_ids_are_new_every_time_and_overwrite_the_file(session: Session, tmp_path: Path) -> None:
    content = a_submission(a_document_entry(uid="1.2.3"), a_submission_set(), a_member("SubmissionSet01", "Document01"))
    first, second = send(session, tmp_path, content=content), send(session, tmp_path, content=content)
    assert first.identifier(DE_UID).startswith("1.2.42.")
    assert first.identifier(DE_UID) != second.identifier(DE_UID)
    assert first.assigned("AssignedUids")["Document01"] == first.identifier(DE_UID)


@pytest.mark.parametrize(
    "instruction",
    ["<NoAssignUids/>", '<NoAssignUids id="Document01"/>', f'<AssignUuids><Exclude value="{DE_UID}"/></AssignUuids>'],
)
def test_unique_ids_that_the_plan_keeps_stay(session: Session, tmp_path: Path, instruction: str) -> None:
    content = a_submission(a_document_entry(uid="1.2.3"), a_submission_set(), a_member("SubmissionSet01", "Document01"))
    sent = send(session, tmp_path, instruction, content=content)
    assert sent.identifier(DE_UID) == "1.2.3"
    assert "Document01" not in sent.assigned("AssignedUids")


def test_the_source_id_is_the_kits(session: Session, tmp_path: Path) -> None:
    assert send(session, tmp_path).identifier("urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832") == "2.25.7002"


def test_without_assign_uuids_symbolic_ids_travel(session: Session, tmp_path: Path) -> None:
    sent = send(session, tmp_path)
    assert sent.payload.find(f".//{R}ExtrinsicObject").get("id") == "Document01"


def test_assigned_uuids_are_followed_by_every_reference(session: Session, tmp_path: Path) -> None:
    sent = send(session, tmp_path, "<AssignUuids/>")
    uuids = sent.assigned("AssignedUuids")
    association = sent.payload.find(f".//{R}Association")
    assert association.get("sourceObject") == uuids["SubmissionSet01"]
    assert association.get("targetObject") == uuids["Document01"]
    codes = sent.payload.findall(f".//{R}ExtrinsicObject/{R}Classification")
    assert {one.get("classifiedObject") for one in codes} == {uuids["Document01"]}
    assert {
        one.get("registryObject") for one in sent.payload.findall(f".//{R}ExtrinsicObject/{R}ExternalIdentifier")
    } == {uuids["Document01"]}


def test_a_reference_to_a_symbol_defined_nowhere_fails_the_step(session: Session, tmp_path: Path) -> None:
    content = a_submission(a_submission_set(), a_member("SubmissionSet01", "Nowhere"))
    with pytest.raises(StepFailed, match="Nowhere"):
        send(session, tmp_path, "<AssignUuids/>", content=content)


def test_ids_of_earlier_steps_are_filled_in_and_kept(session: Session, tmp_path: Path) -> None:
    earlier_step(session, tmp_path, AssignedUuids={"D": "urn:uuid:1"}, AssignedUids={"D": "1.2.9"})
    content = a_submission(
        a_document_entry(lid="$lid$", uid="$uid$"), a_submission_set(), a_member("SubmissionSet01", "Document01")
    )
    uses = (
        '<UseId id="D" symbol="$lid$" step="before" section="AssignedUuids"/>'
        '<UseId id="D" symbol="$uid$" step="before" section="AssignedUids"/><NoAssignUids id="Document01"/>'
    )
    sent = send(session, tmp_path, uses, content=content)
    assert sent.payload.find(f".//{R}ExtrinsicObject").get("lid") == "urn:uuid:1"
    assert sent.identifier(DE_UID) == "1.2.9"


def test_a_use_id_that_points_nowhere_fails_the_step(session: Session, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="section b, step s"):
        send(session, tmp_path, '<UseId testdir="../b" id="D" symbol="$x$" step="s" section="AssignedUids"/>')


def test_a_retrieve_ignores_use_ids_that_point_nowhere(session: Session, tmp_path: Path) -> None:
    sent = send(
        session,
        tmp_path,
        '<UseId testdir="../b" id="D" symbol="$x$" step="s" section="AssignedUids"/>',
        content="<retrieve>$x$ $r$</retrieve>",
        element="RetrieveTransaction",
        reports={"$r$": "REPORT"},
    )
    assert sent.payload.text == "$x$ REPORT"


def test_standard_symbols_are_replaced(session: Session, tmp_path: Path) -> None:
    query = a_query(from_="$lastyear$", to="$now$", home="$homeCommunityId$")
    values = send(session, tmp_path, content=query, element="StoredQueryTransaction").payload.xpath("//text()")
    assert len(values[0]) == len(values[1]) == 14
    assert values[0] < values[1]
    assert values[2] == "urn:oid:2.25.5"


def test_clean_parameters_drops_slots_left_unresolved(session: Session, tmp_path: Path) -> None:
    query = a_query(known="'1'", unknown="'$uuid$'")
    kept = send(session, tmp_path, content=query, element="StoredQueryTransaction")
    cleaned = send(session, tmp_path, "<CleanParams/>", content=query, element="StoredQueryTransaction")
    names = [[one.get("name") for one in sent.payload.iter(f"{R}Slot")] for sent in (kept, cleaned)]
    assert names == [["$known", "$unknown"], ["$known"]]


def test_parse_metadata_false_sends_the_file_as_it_is(session: Session, tmp_path: Path) -> None:
    sent = send(session, tmp_path, "<ParseMetadata>False</ParseMetadata>")
    assert etree.QName(sent.payload).namespace == "urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1"
    assert sent.assigned("AssignedUids") == {}


def test_no_convert_assigns_but_keeps_the_version_of_the_file(session: Session, tmp_path: Path) -> None:
    sent = send(session, tmp_path, "<NoConvert/>")
    assert etree.QName(sent.payload).namespace == "urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1"
    assert sent.assigned("AssignedUids")


@pytest.mark.parametrize("uuids", [True, False])
def test_provide_wraps_and_names_documents_by_their_entry(session: Session, tmp_path: Path, uuids: bool) -> None:
    (tmp_path / "d.txt").write_bytes(b"octets")
    instructions = '<Document id="Document01">d.txt</Document>' + ("<AssignUuids/>" if uuids else "")
    sent = send(session, tmp_path, instructions, element="ProvideAndRegisterTransaction")
    assert etree.QName(sent.payload).localname == "ProvideAndRegisterDocumentSetRequest"
    entry = sent.payload.find(f".//{R}ExtrinsicObject").get("id")
    assert sent.documents == {entry: b"octets"}
    assert sent.payload[-1].get("id") == entry
    assert entry.startswith("urn:uuid:") is uuids


def test_a_file_that_is_wrapped_already_is_wrapped_once(session: Session, tmp_path: Path) -> None:
    wrapped = f'<x:ProvideAndRegisterDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007">{a_submission()}</x:ProvideAndRegisterDocumentSetRequest>'
    sent = send(session, tmp_path, content=wrapped, element="ProvideAndRegisterTransaction")
    assert [etree.QName(one).localname for one in sent.payload] == ["SubmitObjectsRequest"]


def test_a_file_that_is_no_submission_is_named(session: Session, tmp_path: Path) -> None:
    with pytest.raises(KitError, match=r"m.xml: found element other"):
        send(session, tmp_path, content="<other/>")
    with pytest.raises(KitError, match="is no XML"):
        send(session, tmp_path, content="<other>")


def test_the_file_must_still_be_there(session: Session, tmp_path: Path) -> None:
    send(session, tmp_path)
    (step,) = read_plan(tmp_path / "testplan.xml").steps
    assert step.instructions is not None
    gone = replace(step.instructions, metadata_file=tmp_path / "gone.xml")
    with pytest.raises(KitError, match="cannot be read"):
        prepare(session, Section(test="1", name="a", folder=tmp_path), gone, start_step(step), reports={})
