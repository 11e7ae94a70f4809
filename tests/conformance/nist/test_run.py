"""Whole runs against servers that answer as told: sections, stops, disagreements, verdicts end to end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from conformance.nist.configuration import Configuration, open_session, open_system
from conformance.nist.kit import read_kit
from conformance.nist.outcomes import RunOutcome, Status
from conformance.nist.run import Observer, run_kit
from conformance.nist.run_order import plan_run
from tests.conformance.fake_servers import FakeServer, Reply, Request, soap_server
from tests.conformance.kits import (
    a_plan,
    a_query,
    a_query_response,
    a_registry_response,
    a_step,
    a_submission,
    an_error,
    write_kit,
)

Files = dict[str, str]
SUBMIT = a_step("<RegisterTransaction><MetadataFile>m.xml</MetadataFile>{}</RegisterTransaction>", id="submit")
QUERY = "<StoredQueryTransaction><MetadataFile>q.xml</MetadataFile>{}</StoredQueryTransaction>"


def section(*steps: str) -> Files:
    return {"testplan.xml": a_plan(*steps), "m.xml": a_submission(), "q.xml": a_query(), "d.txt": "octets"}


def successful(request: Request) -> Reply:
    """Success to everything, nothing ever found."""
    is_query = request.action.endswith("StoredQuery")
    return Reply(body=a_query_response() if is_query else a_registry_response())


def run(
    folder: Path,
    tests: dict[str, dict[str, Files]],
    answer: Callable[[Request], Reply] = successful,
    *,
    only: Sequence[str] = ("1",),
    repository: bool = False,
    wait: Callable[[float], None] = lambda seconds: None,
    **options: object,
) -> tuple[RunOutcome, FakeServer]:
    kit = read_kit(write_kit(folder, tests))
    with soap_server(answer) as server:
        configuration = Configuration(
            registry=server.url,
            repository=server.url if repository else "",
            is_without_feed=True,
            **options,  # type: ignore[arg-type]
        )
        system = replace(open_system(configuration), wait=wait)
        outcome = run_kit(kit, plan_run(kit, only), system, open_session(configuration, kit), Observer())
    return outcome, server


def statuses(outcome: RunOutcome) -> dict[str, Status]:
    return {f"{step.section}/{step.step}": step.status for step in outcome.steps if step.test == "1"}


def reasons(outcome: RunOutcome) -> list[str]:
    return [str(finding) for step in outcome.steps for finding in step.failures]


def test_a_submission_that_is_accepted_passes_after_the_wait_the_plan_asks_for(tmp_path: Path) -> None:
    waited: list[float] = []
    tests = {"1": {"a": section(SUBMIT.format("<WaitBefore>40</WaitBefore>"))}}
    outcome, server = run(tmp_path, tests, wait=waited.append)
    assert statuses(outcome) == {"a/submit": Status.PASSED}
    assert not outcome.has_failed
    assert len(server.requests) == 1
    assert waited == [0.04]


def test_a_section_stops_at_its_first_failure_and_the_others_still_run(tmp_path: Path) -> None:
    failing = a_step(
        "<NullTransaction><Assertions><Assert id='a'>1 = 2</Assert></Assertions></NullTransaction>", id="no"
    )
    tests = {"1": {"a": section(failing, SUBMIT.format("")), "b": section(SUBMIT.format(""))}}
    outcome, server = run(tmp_path, tests)
    assert statuses(outcome) == {"a/no": Status.FAILED, "a/submit": Status.NOT_RUN, "b/submit": Status.PASSED}
    assert len(server.requests) == 1
    assert outcome.test_counts[Status.FAILED] == 1


def test_a_test_without_address_is_not_run_and_says_what_to_give(tmp_path: Path) -> None:
    xdr = "<XDRProvideAndRegisterTransaction><MetadataFile>m.xml</MetadataFile></XDRProvideAndRegisterTransaction>"
    outcome, server = run(tmp_path, {"1": {"a": section(a_step(xdr))}})
    assert outcome.tests[-1].skipped == "no address for ITI-41 (XDR): give --xdr URL"
    assert not outcome.has_failed
    assert server.requests == []


def test_limited_metadata_that_must_be_accepted_goes_to_the_other_recipient(tmp_path: Path) -> None:
    limited = a_submission().replace(
        'a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/><r:Assoc', '5003a9db-8d8d-49e6-bf0c-990e34ac7707"/><r:Assoc'
    )
    xdr = "<XDRProvideAndRegisterTransaction><MetadataFile>m.xml</MetadataFile></XDRProvideAndRegisterTransaction>"
    tests = {
        "1": {
            "a": {**section(a_step(xdr)), "m.xml": limited},
            "b": {**section(a_step(xdr, expected="Failure")), "m.xml": limited},
        }
    }
    kit = read_kit(write_kit(tmp_path, tests))
    with soap_server(successful) as with_option, soap_server(successful) as without:
        addresses = {"xdr": without.url, "xdr_limited": with_option.url}
        configuration = Configuration(addresses=addresses, is_without_feed=True)
        run_kit(kit, plan_run(kit, ["1"]), open_system(configuration), open_session(configuration, kit), Observer())
    assert (len(with_option.requests), len(without.requests)) == (1, 1)


def test_an_unsupported_plan_is_not_run(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, {"1": {"a": section(a_step("<GatewayQueryTransaction/>"))}})
    assert "GatewayQueryTransaction" in outcome.tests[-1].skipped


def test_a_reference_to_nothing_fails_the_step_and_nothing_is_sent(tmp_path: Path) -> None:
    use = '<UseId id="X" symbol="$x$" step="s" section="AssignedUids"/>'
    outcome, server = run(tmp_path, {"1": {"a": section(SUBMIT.format(use))}})
    assert reasons(outcome) == ["there is no result of test 1, section a, step s to refer to"]
    assert server.requests == []


def test_values_travel_from_step_to_step_and_section_to_section(tmp_path: Path) -> None:
    """An assigned uniqueId becomes the parameter of a query; a report of that query is asserted on."""
    use = '<UseId testdir="../a" id="Document01" symbol="$uid$" step="submit" section="AssignedUids"/>'
    report = '<Report name="asked" section="InputMetadata">//*[local-name()=\'Value\']</Report>'
    check = a_step(
        '<NullTransaction><UseReport reportName="asked" section="THIS" step="query" useAs="asked_for"/>'
        '<UseReport reportName="Document01_uid" section="a" step="submit" useAs="assigned"/>'
        '<Assertions><Assert id="same">contains("asked_for", "assigned")</Assert></Assertions></NullTransaction>',
        id="check",
        expected="",
    )
    query = a_step(QUERY.format(use + report), id="query")
    tests = {"1": {"a": section(SUBMIT.format("")), "b": {**section(query, check), "q.xml": a_query(id="('$uid$')")}}}
    outcome, _ = run(tmp_path, tests)
    assert reasons(outcome) == []
    assert set(statuses(outcome).values()) == {Status.PASSED}


def test_a_new_patient_id_stays_for_the_test_and_is_gone_in_the_next(tmp_path: Path) -> None:
    change = a_step("", id="new", more="<NewPatientId/>")
    once = a_step(
        "<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>",
        id="alt",
        more="<AltPatientId/>",
    )
    tests = {
        "1": {"a": section(SUBMIT.format(""), once, change, SUBMIT.format(""))},
        "2": {"a": section(SUBMIT.format(""))},
    }
    _, server = run(tmp_path, tests, only=("1", "2"))
    found = [
        next(iter(etree.fromstring(one.body).xpath("//@value[contains(., '&2.25.7000&')]"))) for one in server.requests
    ]
    numbers = [one.partition("^")[0].partition(".")[2] for one in found]
    assert numbers == ["1", "6", "7", "1"]


def test_every_check_is_made_on_the_answer_of_a_fault_free_server_only(tmp_path: Path) -> None:
    wrong = {
        "action": lambda request: Reply(body=a_registry_response(), action="urn:other"),
        "schema": lambda request: Reply(body=a_registry_response().replace("</rs", "<rs:X/></rs")),
        "errors": lambda request: Reply(body=a_registry_response("Failure", an_error(" "))),
        "expected": lambda request: Reply(body=a_registry_response("Failure", an_error("A"))),
        "exchange": lambda request: Reply(raw=b"nonsense"),
    }
    for check, answer in wrong.items():
        outcome, _ = run(tmp_path / check, {"1": {"a": section(SUBMIT.format(""))}}, answer)
        assert check in [finding.check for step in outcome.steps for finding in step.failures]


@pytest.mark.parametrize("name", ["action", "schema"])
def test_a_check_can_be_left_out(tmp_path: Path, name: str) -> None:
    def answer(request: Request) -> Reply:
        return Reply(body=a_registry_response().replace("</rs", "<rs:X/></rs"), action="urn:other")

    outcome, _ = run(tmp_path, {"1": {"a": section(SUBMIT.format(""))}}, answer, left_out_checks=(name,))
    assert {"action", "schema"} - {name} == {finding.check for step in outcome.steps for finding in step.failures}


def test_a_refused_submission_is_asked_about_before_and_after(tmp_path: Path) -> None:
    refused = a_step(
        "<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>", expected="Failure"
    )
    kept: list[str] = []

    def forgetful(request: Request) -> Reply:
        """Refuses, but stores."""
        if request.action.endswith("RegisterDocumentSet-b"):
            kept.append("urn:uuid:1")
            return Reply(body=a_registry_response("Failure", an_error("A")))
        return Reply(body=a_query_response(*(f'<r:ObjectRef id="{id}"/>' for id in kept)))

    outcome, server = run(tmp_path / "a", {"1": {"a": section(refused)}}, forgetful)
    assert [finding.check for step in outcome.steps for finding in step.failures] == ["nothing-left"] * 2
    assert [one.action.rpartition(":")[2] for one in server.requests][2] == "RegisterDocumentSet-b"
    assert len(server.requests) == 5
    kept.clear()
    outcome, _ = run(tmp_path / "b", {"1": {"a": section(refused)}}, forgetful, left_out_checks=("nothing-left",))
    assert not outcome.has_failed


def test_remarks_are_failures_when_the_run_is_strict(tmp_path: Path) -> None:
    refused = a_step(
        "<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>", expected="Failure"
    )

    def vague(request: Request) -> Reply:
        if request.action.endswith("StoredQuery"):
            return Reply(body=a_query_response())
        return Reply(body=a_registry_response("Failure", an_error("XDSUnknownPatientId", "some patient")))

    lenient, _ = run(tmp_path / "a", {"1": {"a": section(refused)}}, vague)
    strict, _ = run(tmp_path / "b", {"1": {"a": section(refused)}}, vague, is_strict=True)
    assert [remark.check for step in lenient.steps for remark in step.remarks] == ["context"]
    assert (lenient.has_failed, strict.has_failed) == (False, True)


def test_a_known_disagreement_is_no_failure_when_the_standard_is_kept(tmp_path: Path) -> None:
    entry = '[[disagreement]]\ntest="1"\nsection="a"\nstep="step"\nreason="because"\nclause="c"\n[disagreement.contents]\nObjectRefs={}\n'
    counts = a_step(QUERY.format('<ExpectedContents><ObjectRefs count="1"/></ExpectedContents>'))
    for demanded, status in ((0, Status.DISAGREEMENT), (2, Status.FAILED)):
        folder = tmp_path / str(demanded)
        folder.mkdir()
        (folder / "known.toml").write_text(entry.format(demanded))
        outcome, _ = run(folder, {"1": {"a": section(counts)}}, disagreements=[folder / "known.toml"])
        assert statuses(outcome) == {"a/step": status}
        assert outcome.has_failed is (status is Status.FAILED)


def test_a_step_that_expects_a_fault_leaves_no_reports(tmp_path: Path) -> None:
    fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text xml:lang='en'>no</s:Text></s:Reason></s:Fault>"
    refused = a_step(
        "<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>", id="f", expected="Fault"
    )
    asking = a_step(
        '<NullTransaction><UseReport reportName="$patientid$" section="THIS" step="f" useAs="x"/></NullTransaction>',
        id="ask",
    )

    def answer(request: Request) -> Reply:
        return Reply(body=a_query_response() if request.action.endswith("StoredQuery") else fault, status=400)

    outcome, _ = run(tmp_path, {"1": {"a": section(refused, asking)}}, answer)
    assert statuses(outcome) == {"a/f": Status.PASSED, "a/ask": Status.FAILED}
    assert "has no report" in reasons(outcome)[0]


def test_documents_are_compared_with_what_was_submitted(tmp_path: Path) -> None:
    provide = a_step(
        '<ProvideAndRegisterTransaction><NoMTOM/><MetadataFile>m.xml</MetadataFile><Document id="Document01">d.txt</Document>'
        "</ProvideAndRegisterTransaction>",
        id="submit",
    )
    retrieve = a_step(
        '<RetrieveTransaction><UseReport reportName="Document01_uid" section="THIS" step="submit" useAs="$uid$"/>'
        "<MetadataFile>r.xml</MetadataFile></RetrieveTransaction>",
        id="retrieve",
    )
    request = (
        '<x:RetrieveDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007"><x:DocumentRequest>'
        "<x:RepositoryUniqueId>1.9</x:RepositoryUniqueId><x:DocumentUniqueId>$uid$</x:DocumentUniqueId>"
        "</x:DocumentRequest></x:RetrieveDocumentSetRequest>"
    )

    def altering(message: Request) -> Reply:
        if b"RetrieveDocumentSetRequest" not in message.body:
            return Reply(body=a_registry_response())
        root = message.body[message.body.index(b"<?xml") : message.body.index(b"</soap:Envelope>") + 16]
        unique_id = etree.fromstring(root).findtext(".//{urn:ihe:iti:xds-b:2007}DocumentUniqueId")
        document = (
            f"<x:DocumentResponse><x:RepositoryUniqueId>1.9</x:RepositoryUniqueId><x:DocumentUniqueId>{unique_id}"
            "</x:DocumentUniqueId><x:mimeType>text/plain</x:mimeType><x:Document>b2N0ZXRT</x:Document></x:DocumentResponse>"
        )
        body = f"<x:RetrieveDocumentSetResponse>{a_registry_response()}{document}</x:RetrieveDocumentSetResponse>"
        return Reply(body=body)

    files = {**section(provide, retrieve), "r.xml": request}
    skipped = ("mtom", "action")
    outcome, _ = run(tmp_path, {"1": {"a": files}}, altering, repository=True, left_out_checks=skipped)
    assert [finding.check for step in outcome.steps for finding in step.failures] == ["octets"]


def test_a_feed_that_refuses_a_patient_fails_its_step(tmp_path: Path) -> None:
    kit = read_kit(write_kit(tmp_path, {}))
    configuration = Configuration(registry="http://127.0.0.1:9", feed_command="/no/such/command {patient_id}")
    outcome = run_kit(
        kit, plan_run(kit, ["15817"]), open_system(configuration), open_session(configuration, kit), Observer()
    )
    assert outcome.has_failed
    (step,) = outcome.steps
    assert step.failures[0].check == "feed"


def test_the_observer_hears_of_everything_in_order(tmp_path: Path) -> None:
    heard: list[str] = []
    observer = Observer(
        test_starts=lambda test: heard.append(f"start {test.test.id}"),
        step_ends=lambda step: heard.append(f"step {step.place}"),
        test_ends=lambda test: heard.append(f"end {test.id}"),
    )
    kit = read_kit(write_kit(tmp_path, {"1": {"a": section(SUBMIT.format(""))}}))
    with soap_server(successful) as server:
        configuration = Configuration(registry=server.url, is_without_feed=True)
        run_kit(kit, plan_run(kit, ["1"]), open_system(configuration), open_session(configuration, kit), observer)
    assert heard == ["start 15817", "step 15817/pif/step", "end 15817", "start 1", "step 1/a/submit", "end 1"]
