"""`python -m conformance server`: Carnet is judged on all it claims; weaker servers are found out; other makers' too."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from conformance.failures import KitError
from conformance.judgement import Finding, Run, Verdict
from conformance.population.write_set import read_table
from conformance.run_folder import RunFolder
from conformance.sentence import sentence_of
from conformance.server.configuration import read_configuration
from conformance.server.run import Observer, heading, probes, run_server
from tests import servers
from tests.conformance import dmp_under_test
from tests.conformance.carnet_under_test import kit_settings
from tests.servers import ROOT, Server
from xds.datatypes import CX

OF_THE_RECORD = ("SERVER-TLS", "SERVER-SOAP", "SERVER-TD", "SERVER-VIHF", "SERVER-CDA")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dmp_under_test.a_data_set(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture(scope="module")
def server(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with dmp_under_test.fed(data, tmp_path_factory.mktemp("carnet")) as running:
        yield running


@pytest.fixture(scope="module")
def run(server: Server, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return judged(dmp_under_test.configuration(server, data, folder), folder / "run")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('[tls]\nauthorities = "none.pem"\n[mhd]\nbase = "https://127.0.0.1:1"\n', "none.pem"),
        ('[mhd]\nbase = "http://127.0.0.1:1"\nkit = "no-kit"\n', "n'est pas un dossier"),
    ],
)
def test_a_file_that_is_missing_is_told_before_the_run_is_begun(tmp_path: Path, section: str, told: str) -> None:
    (tmp_path / "server.toml").write_text(f'name = "nobody"\n{section}')
    command = [sys.executable, "-m", "conformance", "server", "--config", str(tmp_path / "server.toml")]
    command += ["--run", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def judged(file: Path, folder: Path) -> Run:
    configuration, kept = read_configuration(file), RunFolder(path=folder)
    kept.start(heading(configuration))
    return run_server(configuration, kept, Observer())


def failed(run: Run) -> dict[str, list[str]]:
    return {
        one.id: [each.text_en for each in run.findings_of(one.id) if each.verdict is Verdict.FAILED]
        for one in run.requirements
        if run.verdicts[one.id] is Verdict.FAILED
    }


def test_carnet_meets_what_binds_a_server_of_the_record(run: Run) -> None:
    assert failed(run) == {}
    untested = [
        one.id
        for one in run.requirements
        if one.id.startswith(OF_THE_RECORD) and run.verdicts[one.id] is Verdict.NOT_TESTED
    ]
    # TLS 1.1 cannot be tried where the TLS library does not speak it.
    assert set(untested) <= {"SERVER-TLS-03"}


def test_every_wrapped_assertion_was_sent_and_refused(run: Run) -> None:
    wrapped = [one for one in run.findings if one.step.startswith("vihf.wrapped-")]
    assert len(wrapped) == 32
    sent = {one.id: one for one in run.messages}
    for one in wrapped:
        assert b":Assertion" in sent[one.message].request
        assert b"FailedAuthentication" in sent[one.message].answer or b"InvalidSecurity" in sent[one.message].answer


def test_every_finding_of_a_probe_shows_its_message(run: Run) -> None:
    sent = {one.id for one in run.messages}
    without = {one.step for one in run.findings if one.message not in sent}
    assert without <= {"tls.protocol", "tls.old-protocol"}


def test_a_server_that_believes_everybody_fails_what_forged_assertions_try(data: Path, tmp_path: Path) -> None:
    """The control: without these findings the probes would prove nothing."""
    with servers.in_process(servers.settings_for(tmp_path / "open", domain="dmp")) as believing:
        servers.know_patients(believing.settings, *(CX(one["cx"]) for one in read_table(data, "patients.csv")))
        url = f"{believing.url}/xds"
        file = tmp_path / "server.toml"
        file.write_text(
            f'name = "open"\n[dmp]\ndata = "{data}"\nregistry = "{url}/registry"\nrepository = "{url}/repository"\n'
            f'[mhd]\nbase = "{believing.url}/fhir"\n'
        )
        run = judged(file, tmp_path / "run")
    assert {f"SERVER-VIHF-{number:02}" for number in (1, 2, 3, 4, 5, 6, 7)} <= failed(run).keys()
    assert run.verdicts["SERVER-MHD-05"] is Verdict.PASSED, run.findings_of("SERVER-MHD-05")
    assert run.verdicts["SERVER-TD-02"] is Verdict.NOT_TESTED


def test_what_is_wrong_is_told_in_both_languages(tmp_path: Path) -> None:
    """A server that answers nothing: every probe of what it claims says so, in French and in English."""
    file = tmp_path / "server.toml"
    file.write_text('name = "nobody"\n[mhd]\nbase = "http://127.0.0.1:1/fhir"\n')
    found = {one.step: one for one in judged(file, tmp_path / "run").findings}
    metadata, life = found["mhd.metadata"], found["mhd.find-and-read"]
    assert metadata.text_fr.startswith("déclaration des capacités : trouvé – (")
    assert metadata.text_fr.endswith("attendu CapabilityStatement")
    assert metadata.text_en.endswith("expected CapabilityStatement")
    assert (life.verdict, life.text_fr) == (
        Verdict.NOT_TESTED,
        "dépôt, recherche, lecture : il faut un patient connu : aucun jeu de données dans une section [dmp]",
    )


def test_a_server_that_is_not_there_meets_nothing(data: Path, tmp_path: Path) -> None:
    """What nobody took was not refused."""
    url, trust = f"https://localhost:{servers.free_port()}", data / "pki" / "trust" / "root.pem"
    file = tmp_path / "server.toml"
    addresses = "".join(f'{one} = "{url}"\n' for one in ("registry", "repository", "patients", "habilitations"))
    file.write_text(
        f'name = "nobody"\n[tls]\nauthorities = "{trust}"\n[mhd]\nbase = "{url}"\n'
        f'[dmp]\ndata = "{data}"\nwrapped = 1\n{addresses}'
    )
    run = judged(file, tmp_path / "run")
    assert [one for one, verdict in run.verdicts.items() if verdict is Verdict.PASSED] == []
    [alone] = [one for one in run.findings if one.step == "tls.no-certificate"]
    assert (alone.verdict, alone.text_fr) == (
        Verdict.NOT_TESTED,
        "connexion sans certificat : personne ne répond à cette adresse",
    )


def test_a_run_without_its_data_set_does_not_begin(tmp_path: Path) -> None:
    file, run = tmp_path / "server.toml", tmp_path / "run"
    file.write_text(
        'name = "x"\n[dmp]\ndata = "nothing"\nregistry = "http://localhost:1"\nrepository = "http://localhost:1"\n'
    )
    command = [sys.executable, "-m", "conformance", "server", "--config", str(file), "--run", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "attendu un jeu de données de" in done.stderr
    assert not run.exists()


def test_a_run_is_resumed_and_nothing_is_tried_twice(server: Server, data: Path, tmp_path: Path) -> None:
    configuration = read_configuration(dmp_under_test.configuration(server, data, tmp_path, more="wrapped = 1\n"))
    folder = RunFolder(path=tmp_path / "run")
    folder.start(heading(configuration))

    def interrupt(finding: Finding) -> None:
        if finding.step == "soap.doctype":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_server(configuration, folder, Observer(finding=interrupt))
    before = folder.load()
    assert before.ended is None
    after = run_server(configuration, folder, Observer())
    assert after.findings[: len(before.findings)] == before.findings
    steps = [one.step for one in after.findings]
    assert set(steps) == {one.name for one in probes(configuration)}
    assert len({one.id for one in after.messages}) == len(after.messages)
    assert after.ended is not None


@pytest.mark.corpus
def test_xds_and_mhd_are_judged_by_their_kits(corpus: Path, tmp_path: Path) -> None:
    """A few tests of each; that Carnet passes all of them is proved elsewhere."""
    kit = corpus / "nist-xds"
    with servers.in_process(kit_settings(tmp_path / "carnet", kit)) as running:
        file = tmp_path / "server.toml"
        file.write_text(
            f'name = "Carnet"\n[xds]\nkit = "{kit}"\nregistry = "{running.url}/xds/registry"\n'
            f'repository = "{running.url}/xds/repository"\nfeed = "mllp://127.0.0.1:{running.feed}"\n'
            f'tests = ["11966", "11991", "12021"]\nwaits = false\n'
            f'[mhd]\nbase = "{running.url}/fhir"\nkit = "{corpus / "mhd"}"\ntests = ["minimal/"]\n'
        )
        command = [sys.executable, "-m", "conformance", "server", "--config", str(file), "--run", str(tmp_path / "run")]
        command += ["--junit", str(tmp_path / "j.xml"), "--json", str(tmp_path / "r.json"), "--lang", "en"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "r.json").read_text("utf-8"))
    passed = {one["id"] for one in told["requirements"] if one["verdict"] == "passed"}
    assert passed >= {
        "SERVER-XDS-01",
        "SERVER-XDS-03",
        "SERVER-XDS-04",
        "SERVER-MHD-02",
        "SERVER-MHD-04",
        "SERVER-MHD-06",
    }
    assert told["coverage"]["tested"] == len(passed)
    cases = etree.parse(str(tmp_path / "j.xml")).findall(".//testcase")
    assert len(cases) == told["coverage"]["requirements"]
    assert "coverage" in done.stdout
    assert "exigences testées sur" in (tmp_path / "run" / "report.html").read_text("utf-8")


GOOD = '[mhd]\nbase = "http://127.0.0.1:1/fhir"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 1\n" + GOOD, "name: found 1, expected a text"),
        (GOOD, "name is missing"),
        ('name = "x"\n', "claims nothing: expected a section"),
        ('name = "x"\n[mhd]\nbase = "x"\nbsae = "y"\n', r"\[mhd\]: there is no bsae; known are base, kit"),
        ('name = "x"\n[mhd]\n', r"\[mhd\]: base is missing"),
        ('name = "x"\nmhd = 3\n', r"\[mhd\]: found 3, expected a table"),
        ("name = ", "is no TOML"),
        ('name = "x"\n[xds]\nkit = "k"\ntests = "11966"\n', r"\[xds\]: tests: found '11966', expected a list"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(KitError, match=told) as raised:
        read_configuration(file)
    assert sentence_of(raised.value).fr != str(raised.value)


def test_paths_are_those_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('name = "x"\n' + GOOD + 'kit = "mhd"\n')
    mhd = read_configuration(file).mhd
    assert mhd is not None
    assert mhd.kit == tmp_path / "mhd"
