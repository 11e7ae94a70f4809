"""What the kit says is said in French and in English: nothing of ours is English in a French report."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.fhir.as_run import to_run as fhir_run
from conformance.fhir.bundle_cases import KnownPatient, read_cases
from conformance.fhir.client import Client
from conformance.fhir.command_line import run_cases
from conformance.fhir.outcomes import RunOutcome
from conformance.judgement import Finding, Verdict
from conformance.nist.as_run import to_run as nist_run
from conformance.nist.kit import read_kit
from conformance.run_folder import RunFolder
from conformance.sentence import counted
from conformance.titles import french_titles, titled
from tests.conformance.fake_servers import Reply, Request, soap_server
from tests.conformance.kits import a_registry_response, a_step
from tests.conformance.nist.test_run import QUERY, SUBMIT, run, section, successful
from tests.servers import ROOT

ENGLISH = re.compile(r"\b(the|is|are|not|no|with|found|expected|got|answer|step|has|of|was)\b")

# A title that nobody has translated, paths, the id of a step and what a parser says are words of others.
QUOTED = re.compile(r"« [^»]* »|/\S+|étape step|(?<=n'est pas du XML).*")


def spoken(node: ast.expr) -> str:
    """The words of a literal, without what is put into it."""
    return "".join(str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant) and one.value != "–")


def sentences() -> Iterator[tuple[str, str]]:
    """French and English of every sentence that is written in the runners, probes and rules."""
    for part in ("nist", "fhir", "server", "client", "client/rules", "report"):
        for file in sorted((ROOT / "conformance" / part).glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                for fr, en in written(node, is_rule=part == "client/rules"):
                    yield spoken(fr), spoken(en)


def written(node: ast.AST, *, is_rule: bool) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The two languages of one place: a Sentence, a finding, what a rule expected, a pair that is put together first."""
    match node:
        case ast.Call(func=ast.Name(id="Sentence"), args=[fr, en]):
            yield fr, en
        case ast.Call(func=ast.Name(id="expected" | "unless"), args=[_, fr, en, *_]) if is_rule:
            yield fr, en
        case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id="fr"), ast.Name(id="en")])], value=ast.Tuple([fr, en])):
            yield fr, en
        case ast.Call(keywords=given):
            said = {one.arg: one.value for one in given}
            yield from ((said[f"{name}fr"], said[f"{name}en"]) for name in ("", "text_") if f"{name}fr" in said)


def refusals() -> Iterator[tuple[str, ast.expr]]:
    """What a command can end in, with its place."""
    for part in ("client", "report", "nist", "fhir", "server", "population"):
        for file in sorted((ROOT / "conformance" / part).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id="KitError" | "ExchangeFailed"), args=[said]):
                        yield f"{file.name}:{node.lineno}", said


def test_every_refusal_is_told_in_both_languages() -> None:
    """A Sentence, or one that is made of another."""
    found = list(refusals())
    assert len(found) > 60
    for place, said in found:
        match said:
            case ast.Call(func=ast.Name(id="Sentence" | "expected" | "in_") | ast.Attribute(attr="about")):
                pass
            case _:
                pytest.fail(f"{place}: {ast.unparse(said)}")


def test_a_number_is_said_with_its_plural() -> None:
    messages = ("message", "messages")
    said = [counted(number, messages, messages) for number in (0, 1, 2)]
    assert [one.fr for one in said] == ["0 message", "1 message", "2 messages"]
    assert said == ["0 messages", "1 message", "2 messages"]


def test_a_number_in_french_has_no_fixed_plural() -> None:
    """`1 exigences`: what is counted goes through `counted`."""
    plain = re.compile(
        r"\{(?:len\([^}]*|count|number|tested|every|left|more)\} (?!octets|fois|times|lignes|caract)[a-zé]+s\b"
    )
    for part in ("client", "report"):
        for file in sorted((ROOT / "conformance" / part).rglob("*.py")):
            found = plain.findall(file.read_text("utf-8"))
            assert found == [], file


def test_no_french_sentence_is_written_in_english() -> None:
    found = list(sentences())
    assert len(found) > 300
    assert [one for one in found if ENGLISH.search(one[0])] == []
    assert [one for one in found if one[0] == one[1] and re.search("[a-z]{2} [a-z]{2}", one[0])] == []


@pytest.mark.corpus
def test_every_title_of_the_kits_is_said_in_french(corpus: Path) -> None:
    """In one table; the scripts of FHIR are called by what they ask for."""
    titles = {("nist", one.id): one.title for one in read_kit(corpus / "nist-xds").tests.values()}
    titles |= {("fhir", one.id): one.summary for one in read_cases(corpus / "mhd")}
    assert titles.keys() == french_titles().keys()
    for (kit, test), title in titles.items():
        said = titled(kit, test, title)
        assert said.fr != said.en
        assert "«" not in said.fr
        assert not ENGLISH.search(said.fr), said.fr


def told(findings: tuple[Finding, ...]) -> list[Finding]:
    """Those that say something, each in two languages."""
    for one in findings:
        assert one.text_fr != one.text_en
        of_ours = QUOTED.sub("", one.text_fr)
        assert not ENGLISH.search(of_ours), one.text_fr
    return [one for one in findings if one.verdict is not Verdict.PASSED]


@pytest.mark.parametrize(
    ("reply", "fr", "en"),
    [
        (Reply(body=a_registry_response("Failure")), "statut inattendu : attendu Success", "wrong status"),
        (Reply(raw=b"oops"), "n'est pas du XML", "is no XML"),
        (Reply(raw=b"--x--", content_type="multipart/related"), "ne nomme pas de boundary", "names no boundary"),
        (
            Reply(body=a_registry_response(), action="urn:other"),
            "ITI-42 : wsa:Action de la réponse",
            "wrong wsa:Action",
        ),
        (Reply(body=a_registry_response("Success"), status=500), "statut HTTP inattendu", "wrong HTTP status"),
    ],
)
def test_what_the_kit_of_xds_finds_is_told_in_both_languages(tmp_path: Path, reply: Reply, fr: str, en: str) -> None:
    found = nist_run(run(tmp_path, {"1": {"a": section(SUBMIT.format(""))}}, lambda request: reply)[0])
    shown = told(found.findings)
    assert any(fr in one.text_fr and en in one.text_en for one in shown), shown


def test_why_a_test_of_xds_was_not_run_is_told_in_both_languages(tmp_path: Path) -> None:
    missing = '<UseId id="X" symbol="$x$" step="s" section="AssignedUids"/>'
    expecting = "<ExpectedContents><Documents count='1'/></ExpectedContents>"
    unsupported = {"1": {"a": section(a_step("<GatewayQueryTransaction/>"))}}
    tests = {"1": {"a": section(SUBMIT.format(missing)), "b": section(a_step(QUERY.format(expecting), id="query"))}}
    shown = told(nist_run(run(tmp_path / "a", unsupported)[0]).findings)
    shown += told(nist_run(run(tmp_path / "b", tests, successful)[0]).findings)
    french = " ".join(one.text_fr for one in shown)
    assert "n'est pas prise en charge" in french or "que connaît ce lanceur" in french
    assert "aucun résultat de l'essai 1, section a, étape s, auquel renvoyer" in french


def fhir_kit(folder: Path) -> Path:
    """One Bundle that must be taken, one script with a test that fails and one that the server cannot take."""
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "DocumentReference"}}]}
    case = {"id": "c/1", "summary": "un lot", "outcome": "accept", "httpStatus": 200, "requests": [{"file": "b.json"}]}
    create = {"operation": {"method": "POST", "url": "x"}}
    script = {
        "resourceType": "TestScript",
        "test": [
            {"name": "t", "action": [create, {"assert": {"description": "créé", "responseCode": "201"}}]},
            {"name": "u", "action": [{"operation": {"type": {"code": "read"}, "resource": "Observation"}}]},
        ],
    }
    for name, content in (
        ("nist/manifest.json", [case]),
        ("nist/b.json", bundle),
        ("fhir-rest/testscripts/s.json", script),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


def test_what_the_kit_of_fhir_finds_is_told_in_both_languages(tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return Reply(raw=b'{"resourceType": "Patient"}', content_type="application/fhir+json")

    with soap_server(answer) as server:
        client = Client(base=server.url)
        cases = tuple(run_cases(client, fhir_kit(tmp_path), (), KnownPatient(url="Patient/1", token="a|1")))
    outcome = RunOutcome(base=server.url, started=datetime.now(UTC), cases=cases)
    asked = f"POST x, action 2 : trouvé POST {server.url}/x: HTTP 200, attendu 201"
    assert {(one.verdict, one.text_fr) for one in told(fhir_run(outcome).findings)} == {
        (Verdict.FAILED, "Essai c/1 : « un lot », b.json : trouvé –, attendu Bundle, transaction-response"),
        (Verdict.FAILED, f"Essai s, n° 1 : {asked}"),
        (Verdict.NOT_TESTED, "Essai s, n° 2 : GET Observation, le serveur n'annonce pas Observation"),
    }


def test_why_no_answer_came_is_kept_in_both_languages(tmp_path: Path) -> None:
    outcome = nist_run(
        run(tmp_path / "n", {"1": {"a": section(SUBMIT.format(""))}}, lambda request: Reply(raw=b"oops"))[0]
    )
    folder = RunFolder(path=tmp_path / "run")
    folder.start(outcome.heading)
    folder.add_message(outcome.messages[-1])
    kept = folder.load().messages[0].problem
    assert "is no XML" in kept
    assert "n'est pas du XML" in kept.fr  # type: ignore[attr-defined]
