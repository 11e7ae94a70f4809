"""Every published French CDA example goes in by ITI-41 and comes back byte for byte."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from carnet.reports import Report, read_report, submission_of, with_new_identity
from carnet.xds_client import XdsClient
from cda.document import read_document
from cda.document_entry import document_entry
from cda.header import read_header
from tests import servers
from tests.servers import ROOT_OF_CORPUS, Server
from xds.datatypes import Code

EXAMPLES = sorted(ROOT_OF_CORPUS.glob("cda/examples/*/*.xml"))
pytestmark = pytest.mark.corpus
# Models T.59, T.61 and T.62 have no formatCode of their own.
FALLBACK_FORMAT = Code(
    code="urn:asipSante:modelesHorsProfils:2011", coding_scheme="1.2.250.1.213.1.1.4.2.282", display_name="Hors profil"
)


@pytest.fixture(scope="module")
def open_domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Any authority, open codes: the examples are of many years and models."""
    settings = servers.settings_for(tmp_path_factory.mktemp("corpus"), domain="ihe", wire="dmp")
    with servers.in_process(settings) as running:
        yield running


def report_of(path: Path) -> Report:
    content = path.read_bytes()
    entry = document_entry(read_header(read_document(content))).entry
    if entry.format_code is None:
        entry = replace(entry, format_code=FALLBACK_FORMAT)
    assert entry.patient_id is not None
    plain = type(entry.patient_id).of(id=entry.patient_id.id, authority=entry.patient_id.authority)
    return with_new_identity(Report(content=content, entry=replace(entry, patient_id=plain)))


def test_the_corpus_has_the_examples(corpus: Path) -> None:
    assert len(EXAMPLES) >= 103


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_published_example_comes_back_byte_for_byte(open_domain: Server, path: Path) -> None:
    report, client = report_of(path), XdsClient(open_domain.url)
    assert report.entry.patient_id is not None
    servers.know_patients(open_domain.settings, report.entry.patient_id)
    answer = client.push([report])
    assert answer.is_success, answer.errors
    assert report.entry.unique_id is not None
    found = client.get_documents(report.entry.unique_id).documents[0]
    assert found.type_code == report.entry.type_code
    assert found.author == report.entry.author
    retrieved = client.retrieve([report.entry.unique_id], repository=found.repository_unique_id or "")
    assert retrieved.contents == (report.content,)


def test_our_own_reports_are_accepted_by_the_dmp_domain(tmp_path: Path) -> None:
    folder = servers.ROOT / "examples" / "reports"
    reports = [read_report(path.read_bytes(), entry_uuid=path.stem) for path in sorted(folder.glob("*.xml"))]
    assert submission_of(reports).submission_set is not None
    with servers.in_process(servers.settings_for(tmp_path)) as server:
        assert reports[0].entry.patient_id is not None
        servers.know_patients(server.settings, reports[0].entry.patient_id)
        assert XdsClient(server.url).push(reports).is_success
