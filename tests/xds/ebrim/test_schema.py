"""The verdict of the message schema, and findings a person can act on, in time."""

import pytest

from tests.builders import a_submission, an_entry
from xds.ebrim import schema
from xds.ebrim.schema import schema_findings
from xds.ebrim.write import write_submit_objects_request
from xds.xml import parse

OPENING = b"<rim:RegistryObjectList>"


def request(entries: int = 1) -> bytes:
    return write_submit_objects_request(
        a_submission(*(an_entry(entry_uuid=f"Document{number}") for number in range(entries))).objects
    )


def test_a_valid_message_has_no_finding() -> None:
    assert schema_findings(parse(request())) == ()


@pytest.mark.parametrize("place", [OPENING, b"</rim:RegistryObjectList>"], ids=["first", "last"])
def test_a_misplaced_element_is_one_finding_wherever_it_stands(place: bytes) -> None:
    stranger = b"<rim:Nothing/>"
    broken = request().replace(place, place + stranger if place == OPENING else stranger + place)
    (finding,) = schema_findings(parse(broken))
    assert "rim:Nothing" in finding.reason
    assert finding.path == "SubmitObjectsRequest/RegistryObjectList"


def test_every_fault_is_told() -> None:
    broken = request().replace(b"<rim:ExtrinsicObject ", b'<rim:ExtrinsicObject colour="blue" ')
    broken = broken.replace(b'associationType="', b'kind="')
    reasons = [finding.reason for finding in schema_findings(parse(broken))]
    assert len(reasons) == 3
    assert any("colour" in reason for reason in reasons)
    assert any("kind" in reason for reason in reasons)
    assert any("associationType" in reason for reason in reasons)


def test_findings_are_few_and_short() -> None:
    broken = request(30).replace(b'mimeType="text/xml"', b'mimeType="' + b"x" * 10_000 + b'"')
    findings = schema_findings(parse(broken))
    assert len(findings) == 20
    assert all(len(finding.reason) < 500 for finding in findings)


def test_a_large_message_is_not_explained_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of xmlschema would take seconds."""
    monkeypatch.setattr(schema, "_explainer", lambda: pytest.fail("asked for words"))
    broken = request(60).replace(b"</rim:RegistryObjectList>", b"<rim:Nothing/></rim:RegistryObjectList>")
    (finding,) = schema_findings(parse(broken))
    assert "Nothing" in str(finding)
    assert str(finding).startswith("line 1: ")
