"""The run over servers of other makers: what each fails is told, and the run reaches its end. Java and Maven."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.judgement import Run, Verdict
from conformance.peers import fhir_server, ipf_server
from conformance.peers.maven_build import FHIR_SERVER, IPF
from conformance.report.page import write_page
from conformance.run_folder import RunFolder
from conformance.server.configuration import read_configuration
from conformance.server.run import Observer, heading, run_server
from tests.conformance.ipf_batch import build_or_skip

# IPF: no `lid` on associations, empty trailing components rewritten (XDS-01, 03, 09); CXF answers SOAP 1.1, an unknown
# action without an envelope, and takes the first part for the root.
IPF_FAILS = {f"SERVER-{one}" for one in ("XDS-01", "XDS-03", "XDS-09", "SOAP-01", "SOAP-04", "SOAP-06")}
IPF_PASSES = {f"SERVER-{one}" for one in ("XDS-05", "SOAP-02", "SOAP-03", "SOAP-05")}
# HAPI without a provider of transactions.
HAPI_FAILS = {"SERVER-MHD-01", "SERVER-MHD-02"}
HAPI_PASSES = {"SERVER-MHD-04", "SERVER-MHD-06", "SERVER-MHD-07"}
NIST = ("11966", "11979", "11996", "12021", "12029", "11898")


def judged(folder: Path, text: str) -> Run:
    (folder / "server.toml").write_text(text, encoding="utf-8")
    configuration, kept = read_configuration(folder / "server.toml"), RunFolder(path=folder / "run")
    kept.start(heading(configuration))
    return run_server(configuration, kept, Observer())


def verdicts(run: Run, verdict: Verdict) -> set[str]:
    return {identifier for identifier, found in run.verdicts.items() if found is verdict}


def evidence(run: Run, requirement: str) -> Sequence[str]:
    return [one.text_en for one in run.findings_of(requirement) if one.verdict is Verdict.FAILED]


@pytest.mark.corpus
def test_an_xds_server_made_of_ipf(corpus: Path, tmp_path: Path) -> None:
    """It takes and returns documents; it judges little, and its model has no `lid` on every object."""
    build_or_skip(IPF)
    with ipf_server.running(log=tmp_path / "ipf.log", arguments=("--mllp", "0")) as address:
        host, port = address.feed
        run = judged(
            tmp_path,
            f'name = "IPF"\n[xds]\nkit = "{corpus / "nist-xds"}"\nregistry = "{address.registry}"\n'
            f'repository = "{address.repository}"\nfeed = "mllp://{host}:{port}"\nwaits = false\n'
            f"tests = {list(NIST)}\n",
        )
    assert run.ended is not None
    assert verdicts(run, Verdict.FAILED) == IPF_FAILS, {one: evidence(run, one) for one in IPF_FAILS}
    assert verdicts(run, Verdict.PASSED) == IPF_PASSES
    write_page(run, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert all(evidence(run, one) for one in IPF_FAILS)
    assert page.count('class="requirement" data-verdict="failed"') == len(IPF_FAILS)


@pytest.mark.corpus
def test_a_plain_fhir_server_made_of_hapi(corpus: Path, tmp_path: Path) -> None:
    """It keeps resources and knows no transaction: every Bundle of MHD is refused, and that is told."""
    build_or_skip(FHIR_SERVER)
    with fhir_server.running(log=tmp_path / "hapi.log") as base:
        run = judged(
            tmp_path,
            f'name = "HAPI"\n[mhd]\nbase = "{base}"\nkit = "{corpus / "mhd"}"\ntests = ["inimal", "omprehensive"]\n',
        )
    assert run.ended is not None
    assert verdicts(run, Verdict.FAILED) == HAPI_FAILS
    assert verdicts(run, Verdict.PASSED) == HAPI_PASSES
    assert all("expected" in one for each in HAPI_FAILS for one in evidence(run, each))
