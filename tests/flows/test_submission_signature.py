"""Signed submissions over HTTP: required, optional, ignored; what the manifest must cover. DMP 8.3."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from carnet.pki import Card, Credential, Igc, Structure, Use, issue_card, issue_structure, make_igc
from carnet.pki_folder import write_igc
from carnet.reports import Report, read_report, with_new_identity
from carnet.signing import SIGNATURE_ID, signed_submission
from carnet.xds_answers import Answer
from carnet.xds_client import Sign, XdsClient
from tests import servers
from tests.servers import Server
from xds.metadata import Submission

REPORTS = Path(__file__).resolve().parents[2] / "examples" / "reports"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def igc(tmp_path_factory: pytest.TempPathFactory) -> tuple[Igc, Path]:
    folder, made = tmp_path_factory.mktemp("pki"), make_igc(now=NOW)
    write_igc(folder / "pki", made, now=NOW)
    return made, folder / "pki" / "trust"


def a_report() -> Report:
    content = (REPORTS / "cr-consultation.xml").read_bytes()
    return with_new_identity(read_report(content, entry_uuid="Document01"))


@pytest.fixture(scope="module")
def author(igc: tuple[Igc, Path]) -> Credential:
    """The card of the author of the report."""
    person = a_report().entry.author[0].author_person
    assert person is not None
    card = Card(identifier=person.id, family=person.family, given=person.given)
    return issue_card(igc[0], card, now=NOW)[Use.SIGNATURE]


@pytest.fixture(scope="module", params=["required", "optional"])
def server(
    request: pytest.FixtureRequest, igc: tuple[Igc, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = servers.settings_for(
        tmp_path_factory.mktemp("data"), trust=str(igc[1]), submission_signature=request.param
    )
    with servers.in_process(settings) as running:
        patient = a_report().entry.patient_id
        assert patient is not None
        servers.know_patients(settings, patient)
        yield running


def push(server: Server, sign: Sign | None) -> Answer:
    return XdsClient(server.url).push([a_report()], sign=sign)


def by(signer: Credential, digest: str = "sha1") -> Sign:
    return partial(signed_submission, signer=signer, digest=digest)


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_a_signed_submission_is_stored_with_its_signature(server: Server, author: Credential, digest: str) -> None:
    report = a_report()
    client = XdsClient(server.url)
    answer = client.push([report], sign=by(author, digest))
    assert answer.is_success, answer.errors
    assert client.get_documents(report.entry.unique_id or "").documents


def test_the_seal_of_the_authors_institution_signs_too(server: Server, igc: tuple[Igc, Path]) -> None:
    institution = a_report().entry.author[0].author_institution[0]
    structure = Structure(identifier=institution.id, name=institution.name)
    assert push(server, by(issue_structure(igc[0], structure, now=NOW)[Use.SEAL])).is_success


def test_without_a_signature_a_submission_passes_unless_one_is_required(server: Server) -> None:
    answer = push(server, None)
    assert answer.is_success is (server.settings.submission_signature == "optional")
    if not answer.is_success:
        assert "found no signature entry" in answer.errors[0].context


def refused(server: Server, sign: Sign) -> str:
    """The context of the refusal, of a submission that left nothing behind."""
    documents = Path(server.settings.data) / "documents"
    before = {one for one in documents.rglob("*") if one.is_file()}
    answer = push(server, sign)
    assert not answer.is_success
    assert {one for one in documents.rglob("*") if one.is_file()} == before
    return " ".join(error.context for error in answer.errors)


def test_a_stranger_does_not_sign_for_the_author(server: Server, igc: tuple[Igc, Path]) -> None:
    nurse = issue_card(igc[0], Card(identifier="899700218896", family="KERGOAT", given="MAËL"), now=NOW)
    assert "nobody among the authors" in refused(server, by(nurse[Use.SIGNATURE]))


def test_a_certificate_of_other_authorities_is_refused(server: Server) -> None:
    person = a_report().entry.author[0].author_person
    assert person is not None
    card = Card(identifier=person.id, family=person.family, given=person.given)
    forged = issue_card(make_igc(now=NOW), card, now=NOW)[Use.SIGNATURE]
    assert "does not chain" in refused(server, by(forged))


def altered(signer: Credential, change: Callable[[dict[str, bytes]], None]) -> Sign:
    """Signs other documents than are sent."""

    def sign(submission: Submission, contents: Mapping[str, bytes]) -> tuple[Submission, bytes]:
        changed = dict(contents)
        change(changed)
        return signed_submission(submission, changed, signer)

    return sign


def test_a_document_that_was_changed_after_signing_is_refused(server: Server, author: Credential) -> None:
    def change(contents: dict[str, bytes]) -> None:
        contents["Document01"] += b"<!-- added -->"

    assert "is not that of the document" in refused(server, altered(author, change))


def test_the_canonical_form_is_what_was_signed(server: Server, author: Credential) -> None:
    """The manifest digest of a CDA is not its hash: an XML declaration more or less changes nothing."""

    def change(contents: dict[str, bytes]) -> None:
        contents["Document01"] = contents["Document01"].partition(b"?>")[2].lstrip()

    assert push(server, altered(author, change)).is_success


def test_a_manifest_names_every_document_and_no_other(server: Server, author: Credential) -> None:
    def sign(submission: Submission, contents: Mapping[str, bytes]) -> tuple[Submission, bytes]:
        entry = replace(submission.document_entries[0], unique_id="2.25.999")
        _, octets = signed_submission(replace(submission, document_entries=(entry,)), contents, author)
        return signed_submission(submission, contents, author)[0], octets

    context = refused(server, sign)
    assert "does not name urn:oid:" in context
    assert "names urn:oid:2.25.999, which is not in the submission" in context


def test_a_signature_of_another_submission_is_refused(server: Server, author: Credential) -> None:
    def sign(submission: Submission, contents: Mapping[str, bytes]) -> tuple[Submission, bytes]:
        assert submission.submission_set is not None
        other = replace(submission, submission_set=replace(submission.submission_set, unique_id="2.25.998"))
        return signed_submission(submission, contents, author)[0], signed_submission(other, contents, author)[1]

    assert "names urn:oid:2.25.998, which is not in the submission" in refused(server, sign)


def test_what_is_no_signature_is_refused(server: Server, author: Credential) -> None:
    def sign(submission: Submission, contents: Mapping[str, bytes]) -> tuple[Submission, bytes]:
        return signed_submission(submission, contents, author)[0], b"<nothing/>"

    assert f"signature {SIGNATURE_ID}" in refused(server, sign)


def test_ignored_means_that_nobody_looks(igc: tuple[Igc, Path], author: Credential, tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, trust=str(igc[1]), submission_signature="ignored")

    def sign(submission: Submission, contents: Mapping[str, bytes]) -> tuple[Submission, bytes]:
        return signed_submission(submission, contents, author)[0], b"<nothing/>"

    with servers.in_process(settings) as running:
        patient = a_report().entry.patient_id
        assert patient is not None
        servers.know_patients(settings, patient)
        assert push(running, sign).is_success
