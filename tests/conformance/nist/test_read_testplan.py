"""The grammar of a plan: every instruction, and what a plan may not say."""

from pathlib import Path

import pytest

from conformance.failures import KitError, UnsupportedPlan
from conformance.nist.read_testplan import read_plan
from conformance.nist.testplan import Instructions, Step
from tests.conformance.kits import a_plan, a_step


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("m.xml", "d.txt"):
        (tmp_path / name).write_text("<m/>")
    return tmp_path


def steps(folder: Path, *written: str, **external: str) -> tuple[Step, ...]:
    (folder / "testplan.xml").write_text(a_plan(*written))
    return read_plan(folder / "testplan.xml", external={f"${k}$": v for k, v in external.items()}).steps


def instructions(folder: Path, content: str, element: str = "RegisterTransaction") -> Instructions:
    (step,) = steps(folder, a_step(f"<{element}><MetadataFile>m.xml</MetadataFile>{content}</{element}>"))
    assert step.instructions is not None
    return step.instructions


def test_expectations_of_a_step(folder: Path) -> None:
    (step,) = steps(
        folder,
        a_step(
            "<NullTransaction/>",
            expected="Failure",
            more="<ExpectedErrorCode>A</ExpectedErrorCode><ExpectedErrorMessage>B</ExpectedErrorMessage><Goal>G\n g</Goal>",
        ),
    )
    assert step.is_negative
    assert (step.expected_error_code, step.expected_error_message, step.goals) == ("A", "B", ("G g",))


def test_several_statuses_are_allowed(folder: Path) -> None:
    (step,) = steps(folder, a_step("<NullTransaction/>", expected="success, PartialSuccess"))
    assert step.expected_statuses == ("Success", "PartialSuccess")


def test_an_expectation_behind_the_transaction_has_no_effect(folder: Path) -> None:
    (step,) = steps(folder, '<TestStep id="s"><NullTransaction/><ExpectedStatus>Failure</ExpectedStatus></TestStep>')
    assert step.expected_statuses == ()


def test_commented_out_instructions_do_not_count(folder: Path) -> None:
    found = instructions(folder, '<!-- <UseId id="a" symbol="b" step="c" section="d"/> --><XDSb/>')
    assert found.use_ids == ()


def test_flags_and_their_defaults(folder: Path) -> None:
    plain = instructions(folder, "")
    assert plain.has_patient_id
    assert plain.parse_metadata
    assert plain.converts
    assert plain.is_mtom_wanted
    assert not plain.assign_uuids
    changed = instructions(
        folder, "<NoPatientId/><ParseMetadata>False</ParseMetadata><NoConvert/><NoMTOM/><CleanParams/><AssignUuids/>"
    )
    assert not changed.has_patient_id
    assert not changed.parse_metadata
    assert not changed.converts
    assert not changed.is_mtom_wanted
    assert changed.clean_parameters
    assert changed.assign_uuids


def test_ids_that_are_kept(folder: Path) -> None:
    found = instructions(
        folder, '<AssignUuids><Exclude value="urn:uuid:x"/></AssignUuids><NoAssignUids id="A"/><NoAssignUids id="B"/>'
    )
    assert (found.kept_schemes, found.kept_unique_ids) == (("urn:uuid:x",), ("A", "B"))
    assert not found.keep_all_unique_ids
    assert instructions(folder, "<NoAssignUids/>").keep_all_unique_ids


def test_references_reports_documents_and_waiting(folder: Path) -> None:
    found = instructions(
        folder,
        '<UseId id="D" symbol="$d$" step="s" section="AssignedUids" testdir="../a"/>'
        '<UseReport reportName="n" useAs="$n$" step="s"/><Report name="r" section="Result"> //x </Report>'
        '<Document id="D">d.txt</Document><WaitBefore> 40 </WaitBefore>'
        '<ReferenceMetadata testdir="../q" step="q"/><ReferenceDocument uid="$u$">a/b.txt</ReferenceDocument>'
        "<ExpectedMimeType>text/plain</ExpectedMimeType><SOAPHeader><h/></SOAPHeader>",
    )
    assert (found.use_ids[0].testdir, found.use_reports[0].section, found.reports[0].xpath) == ("../a", "", "//x")
    assert found.documents == (("D", folder / "d.txt"),)
    assert found.wait_milliseconds == 40
    assert (found.reference_metadata, found.reference_documents) == ((("../q", "q"),), (("$u$", "a/b.txt"),))
    assert (found.expected_mime_type, found.soap_headers) == ("text/plain", (b"<h/>",))


def test_expected_contents_and_assertions(folder: Path) -> None:
    found = instructions(
        folder,
        '<ExpectedContents><Documents count="2"/><DocApp/><DocumentEntries><Include><DocumentEntry>'
        '<UseId id="D" symbol="$d$" step="s" section="AssignedUuids"/><DocumentEntryType>t</DocumentEntryType>'
        "</DocumentEntry></Include></DocumentEntries></ExpectedContents>"
        '<Assertions><DataRef file="THIS" as="output"/><Assert id="a">1 = 1</Assert></Assertions>',
        element="StoredQueryTransaction",
    )
    assert [(one.name, one.count) for one in found.expected_contents] == [
        ("Documents", 2),
        ("DocApp", None),
        ("DocumentEntries", None),
    ]
    entry = found.expected_contents[2].entries[0]
    assert (entry.mode, entry.use_id.id, entry.object_type) == ("Include", "D", "t")
    assert (found.data_references, found.assertions[0].xpath) == ((("THIS", "output"),), "1 = 1")


def test_external_parameters_are_replaced_but_not_where_symbols_are_named(folder: Path) -> None:
    (step,) = steps(
        folder,
        a_step(
            '<NullTransaction><UseReport reportName="$p$" useAs="$p$" step="s"/>'
            '<Assertions><Assert id="a">"$p$"</Assert></Assertions></NullTransaction>'
        ),
        p="P1",
    )
    assert step.instructions is not None
    assert step.instructions.use_reports[0].report_name == "$p$"
    assert step.instructions.assertions[0].xpath == '"P1"'


def test_a_feed_may_name_or_make_its_patient(folder: Path) -> None:
    (step,) = steps(
        folder,
        a_step(
            "<PatientIdentityFeedTransaction><CreateNewPatientId/><PatientID>P</PatientID>"
            "</PatientIdentityFeedTransaction>"
        ),
    )
    assert step.instructions is not None
    assert (step.instructions.new_patient_id, step.instructions.fed_patient_id) == (True, "P")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (a_step("<NullTransaction/>", more="<Nonsense/>"), "Nonsense, which no step may have"),
        (a_step("<NullTransaction/><NullTransaction/>"), "has a transaction already"),
        (a_step("<NullTransaction/>", expected="Well"), "found 'Well', expected Success"),
        (a_step("<NullTransaction/>", more="<ExpectedErrorMessage>x</ExpectedErrorMessage>"), "only where the one"),
        (a_step("<RegisterTransaction/>"), "names no MetadataFile"),
        (
            a_step("<RegisterTransaction><MetadataFile>no.xml</MetadataFile></RegisterTransaction>"),
            "no.xml, which does",
        ),
        (a_step("<NullTransaction><Nonsense/></NullTransaction>"), "which no NullTransaction may have"),
        (a_step('<NullTransaction><UseId id="a"/></NullTransaction>'), "UseId lacks the attribute symbol"),
        (
            a_step('<NullTransaction><ExpectedContents><Documents count="x"/></ExpectedContents></NullTransaction>'),
            "expected a number",
        ),
        (
            a_step("<NullTransaction><ExpectedContents><Heaps/></ExpectedContents></NullTransaction>"),
            "which ExpectedContents may not have",
        ),
        ("<TestStep/>", "lacks the attribute id"),
        ("<Steps/>", "found element Steps"),
    ],
)
def test_what_is_wrong_in_a_plan_is_named_with_file_and_line(folder: Path, written: str, sentence: str) -> None:
    with pytest.raises(KitError, match=sentence) as problem:
        steps(folder, written)
    assert "testplan.xml, line" in str(problem.value)


@pytest.mark.parametrize(
    "written",
    [
        a_step("<GatewayQueryTransaction/>"),
        a_step("<NullTransaction><UseXPath/></NullTransaction>"),
        a_step('<NullTransaction><Assertions><Assert process="x"/></Assertions></NullTransaction>'),
    ],
)
def test_what_this_runner_does_not_know_is_unsupported_not_wrong(folder: Path, written: str) -> None:
    with pytest.raises(UnsupportedPlan):
        steps(folder, written)


@pytest.mark.parametrize("content", ["<TestPlan>", "<!DOCTYPE TestPlan><TestPlan/>"])
def test_a_plan_that_is_no_plain_xml_is_refused(folder: Path, content: str) -> None:
    (folder / "testplan.xml").write_text(content)
    with pytest.raises(KitError, match="is no XML"):
        read_plan(folder / "testplan.xml")
