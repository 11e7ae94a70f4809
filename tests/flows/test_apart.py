"""A registry and its repositories in processes of their own: doors, secret, lost answers, kills."""

import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from access_policy.caller import OPEN_CALLER, Caller
from carnet.caller_json import write_caller
from carnet.command_line import commands
from carnet.reports import Report, read_report, with_new_identity
from carnet.settings import Settings
from carnet.xds_client import XdsClient
from tests import messages, servers
from tests.builders import PATIENT, REPOSITORY, a_submission, a_submission_set, an_entry, an_oid
from tests.servers import ROOT, Apart, Response, Server, carnet
from tests.ways import Losses, losing

REGISTER_PATH = "/xds/registry"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with servers.apart(tmp_path_factory.mktemp("apart"), servers.in_process) as running:
        servers.know_patients(running.registry.settings, PATIENT, a_report().entry.patient_id)
        yield running


def a_report() -> Report:
    content = Path(ROOT / "examples/reports/cr-consultation.xml").read_bytes()
    return with_new_identity(read_report(content, entry_uuid="Document01"))


def provided(server: Server, content: bytes = b"<a/>", submission: str = "") -> tuple[str, messages.Answered]:
    entry = an_entry(content=content)
    owner = a_submission_set(**({"unique_id": submission} if submission else {}))
    answer = messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: content})
    return str(entry.unique_id), answer


def retrieved(server: Server, unique_id: str, repository: str = REPOSITORY) -> messages.Answered:
    return messages.retrieve(server, (repository, unique_id))


def rows(server: Server, table: str) -> int:
    engine = create_engine(server.settings.database_url)
    with engine.connect() as connection:
        found: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    engine.dispose()
    return found


# --- doors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_registry", "method", "path"),
    [
        (False, "POST", "/xds/registry"),
        (False, "GET", "/xds/registry?wsdl"),
        (False, "POST", "/xds/patients"),
        (True, "POST", "/xds/repository"),
        (True, "GET", "/xds/repository?wsdl"),
        (True, "POST", "/xds/recipient"),
    ],
)
def test_a_door_of_another_process_says_so(pair: Apart, method: str, path: str, *, at_registry: bool) -> None:
    server = pair.registry if at_registry else pair
    answer = Server.request(server, method, path, b"<a/>" if method == "POST" else None)
    assert answer.status == 404
    assert b"this process does not have the role" in answer.body


@pytest.mark.parametrize(("method", "path"), [("GET", "/fhir/metadata"), ("POST", "/fhir/"), ("GET", "/fhir")])
def test_fhir_of_another_process_says_so(pair: Apart, method: str, path: str) -> None:
    answer = Server.request(pair, method, path)
    outcome = json.loads(answer.body)
    assert (answer.status, outcome["resourceType"]) == (404, "OperationOutcome")
    assert "does not have the role fhir" in outcome["issue"][0]["diagnostics"]


def binary_of(pair: Apart, unique_id: str) -> str:
    """The path of a document over FHIR."""
    found = messages.query(pair, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"})
    entry_uuid = next(str(one.get("id")) for one in found.envelope.iter("{*}ExtrinsicObject"))
    return f"/fhir/Binary/{entry_uuid.removeprefix('urn:uuid:')}"


def test_fhir_tells_where_a_document_of_an_unknown_repository_is(pair: Apart) -> None:
    foreign = an_entry(repository_unique_id="1.2.3.4")
    assert messages.submit(pair, a_submission(foreign), messages.REGISTER).status == "Success"
    answer = pair.request("GET", binary_of(pair, str(foreign.unique_id)))
    issue = json.loads(answer.body)["issue"][0]
    assert (answer.status, issue["code"]) == (404, "not-supported")
    assert "1.2.3.4" in issue["diagnostics"]


def test_fhir_delivers_a_document_of_a_known_repository_as_it_streams(pair: Apart) -> None:
    content = os.urandom(3_000_000)
    path = binary_of(pair, provided(pair, content)[0])
    answer = pair.request("GET", path)
    assert (answer.status, answer.body == content) == (200, True)
    assert pair.request("GET", path, headers={"If-None-Match": answer.headers["etag"]}).status == 304


def test_a_document_that_its_repository_removed_is_not_found(pair: Apart) -> None:
    unique_id, _ = provided(pair)
    path = binary_of(pair, unique_id)
    assert messages.remove(pair, (REPOSITORY, unique_id)).status == "Success"
    assert pair.request("GET", path).status == 404


def test_a_repository_that_is_away_makes_its_documents_unavailable(pair: Apart, tmp_path: Path) -> None:
    path = binary_of(pair, provided(pair)[0])
    nowhere = f"{REPOSITORY}=http://127.0.0.1:{servers.free_port()}"
    settings = replace(pair.registry.settings, port=servers.free_port(), repositories=nowhere)
    with servers.in_process(settings) as beside:
        answer = Server.request(beside, "GET", path)
    assert (answer.status, json.loads(answer.body)["resourceType"]) == (503, "OperationOutcome")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize("shown", ["", "Bearer wrong"])
def test_a_repository_gives_documents_to_its_registry_alone(pair: Apart, shown: str) -> None:
    body = json.dumps({"caller": write_caller(OPEN_CALLER), "uniqueId": provided(pair)[0]}).encode()
    headers = {"Authorization": shown, "Content-Type": "application/json"}
    assert Server.request(pair, "POST", "/internal/repository/document", body, headers).status == 401


# --- the internal door -----------------------------------------------------------------------


def asked(server: Server, question: str, authorization: str, body: object = None) -> Response:
    headers = {"Authorization": authorization, "Content-Type": "application/json"} if authorization else {}
    content = json.dumps(body if body is not None else {}).encode()
    return Server.request(server, "POST", f"/internal/registry/{question}", content, headers)


def secret_of(pair: Apart) -> str:
    return Path(pair.settings.internal_secret_file).read_text()


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic {secret}", "Bearer {secret}x", "Bearer é"])
def test_without_the_secret_the_registry_answers_no_repository(pair: Apart, shown: str) -> None:
    body = {"caller": write_caller(OPEN_CALLER), "uniqueIds": ["2.25.1"]}
    answer = asked(pair.registry, "readable", shown.format(secret=secret_of(pair)), body)
    assert (answer.status, b"uniqueIds" in answer.body) == (401, False)


def test_a_registry_without_a_secret_answers_no_repository(tmp_path: Path) -> None:
    with servers.in_process(servers.settings_for(tmp_path)) as alone:
        assert [asked(alone, "ready", shown).status for shown in ("", "Bearer ", "Bearer x")] == [401, 401, 401]


@pytest.mark.parametrize(
    ("question", "body", "words"),
    [
        ("readable", {"uniqueIds": ["2.25.1"]}, "caller"),
        ("readable", {"caller": {"name": "a", "is_open": "yes"}, "uniqueIds": []}, "caller"),
        ("readable", {"caller": write_caller(Caller(name="a")), "uniqueIds": "2.25.1"}, "uniqueIds"),
        ("submission", {"entryUUID": "urn:uuid:1"}, "entryUUID, uniqueId"),
        ("entries", {"repositoryUniqueId": "1.2.3", "after": [True, 1]}, "after"),
        ("check", {"caller": write_caller(Caller(name="a")), "request": "<a>"}, "request"),
        ("receive", {"caller": write_caller(Caller(name="a")), "request": "<a/>", "limited": 1}, "limited"),
        ("ready", [], "object"),
    ],
)
def test_a_call_that_is_none_is_told_what_is_wrong(pair: Apart, question: str, body: object, words: str) -> None:
    answer = asked(pair.registry, question, f"Bearer {secret_of(pair)}", body)
    assert (answer.status, words in json.loads(answer.body)["error"]) == (400, True)


def test_a_call_carries_who_asks(pair: Apart) -> None:
    """The registry decides about the caller of the repository, not about the repository."""
    unique_id, _ = provided(pair)
    shown = f"Bearer {secret_of(pair)}"
    found = [
        json.loads(
            asked(
                pair.registry,
                "readable",
                shown,
                {"caller": write_caller(caller), "uniqueIds": [unique_id]},
            ).body
        )["uniqueIds"]
        for caller in (OPEN_CALLER, Caller(name="someone"))
    ]
    assert found == [[unique_id], []]


# --- answers that are lost -------------------------------------------------------------------


@pytest.fixture
def losses() -> Losses:
    return Losses(path=REGISTER_PATH)


@pytest.fixture
def lossy(pair: Apart, losses: Losses, tmp_path: Path) -> Iterator[Apart]:
    """Another repository of the same registry, whose way there loses what `losses` says."""
    with losing(pair.registry, losses) as way:
        settings = servers.settings_for(
            tmp_path / "lossy",
            roles="repository,recipient",
            repository_id=an_oid(),
            registry_url=way,
            internal_secret_file=pair.settings.internal_secret_file,
            registry_timeout_seconds=5,
        )
        with servers.in_process(settings) as running:
            yield Apart(url=pair.url, settings=running.settings, registry=pair.registry)


@pytest.mark.parametrize(("answers", "requests"), [(1, 0), (0, 1), (2, 0), (1, 1)])
def test_an_answer_of_the_registry_that_is_lost_is_asked_for_again(
    lossy: Apart, losses: Losses, answers: int, requests: int
) -> None:
    losses.answers, losses.requests = answers, requests
    unique_id, answer = provided(lossy, b"<lost/>")
    assert (answer.status, len(losses.lost)) == ("Success", answers + requests)
    assert messages.contents(retrieved(lossy, unique_id, lossy.settings.repository_id)) == [b"<lost/>"]
    assert (rows(lossy, "awaited_document"), rows(lossy, "document")) == (0, 1)


def test_a_registration_nobody_hears_of_is_neither_claimed_nor_lost(lossy: Apart, losses: Losses) -> None:
    """Every answer is lost: the client is told so; the document is there, for the registry says so."""
    losses.answers = 3
    unique_id, answer = provided(lossy, b"<unheard/>", submission="2.25.81")
    assert (answer.status, answer.codes) == ("Failure", ["XDSRegistryNotAvailable"])
    assert "2.25.81" in answer.contexts[0]
    assert messages.contents(retrieved(lossy, unique_id, lossy.settings.repository_id)) == [b"<unheard/>"]
    _, again = provided(lossy, b"<unheard/>", submission="2.25.81")
    assert again.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert "2.25.81" in again.contexts[0]
    assert messages.contents(retrieved(lossy, unique_id, lossy.settings.repository_id)) == [b"<unheard/>"]


def test_push_recognises_what_the_registry_took_unheard(lossy: Apart, losses: Losses) -> None:
    losses.answers = 3
    client = XdsClient(f"http://127.0.0.1:{lossy.settings.port}", registry=lossy.registry.url)
    report = a_report()
    first = client.push([report], submission_unique_id="2.25.82")
    assert [str(one.code) for one in first.errors] == ["XDSRegistryNotAvailable"]
    again = client.push([report], submission_unique_id="2.25.82")
    assert (again.is_success, again.was_stored_before) == (True, True)


def test_requests_that_are_all_lost_are_never_delivered(lossy: Apart, losses: Losses) -> None:
    losses.requests = 3
    unique_id, answer = provided(lossy, b"<never/>", submission="2.25.83")
    assert answer.codes == ["XDSRegistryNotAvailable"]
    assert retrieved(lossy, unique_id, lossy.settings.repository_id).codes == ["XDSDocumentUniqueIdError"]
    assert provided(lossy, b"<never/>", submission="2.25.83")[1].status == "Success"


def test_fsck_settles_what_was_unheard_and_finds_nothing_wrong(lossy: Apart, losses: Losses) -> None:
    losses.answers = 3
    provided(lossy)
    provided(lossy)
    done = carnet(lossy, "fsck", "--json")
    assert (done.returncode, json.loads(done.stdout)["findings"]) == (0, [])
    assert (rows(lossy, "awaited_document"), rows(lossy, "document")) == (0, 2)


def test_fsck_asks_the_registry_whose_metadata_was_removed(lossy: Apart) -> None:
    known, forgotten = provided(lossy)[0], provided(lossy, b"<forgotten/>")[0]
    engine = create_engine(lossy.registry_settings.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM identity WHERE value = ?", (forgotten,))
        connection.exec_driver_sql("DELETE FROM registry_object WHERE unique_id = ?", (forgotten,))
    engine.dispose()
    done = carnet(lossy, "fsck", "--json")
    found = [(one["kind"], one["unique_id"]) for one in json.loads(done.stdout)["findings"]]
    assert (done.returncode, found) == (0, [("document whose metadata was removed", forgotten)])
    assert known not in done.stdout


def test_the_client_takes_two_addresses(lossy: Apart, tmp_path: Path) -> None:
    file, out = tmp_path / "report.xml", tmp_path / "out.xml"
    content = (ROOT / "examples/reports/cr-consultation.xml").read_bytes()
    unique_id = str(read_report(content, entry_uuid="Document01").entry.unique_id)
    file.write_bytes(content)
    where = ["--url", f"http://127.0.0.1:{lossy.settings.port}", "--registry", lossy.registry.url]
    pushed = CliRunner().invoke(commands, ["push", str(file), *where])
    assert pushed.exit_code == 0, pushed.output
    got = CliRunner().invoke(commands, ["get", unique_id, "-o", str(out), *where])
    assert got.exit_code == 0, (got.output, got.exception)
    assert out.read_bytes() == content


def test_gc_without_the_registry_leaves_what_is_awaited_and_says_so(lossy: Apart, losses: Losses) -> None:
    losses.answers = 3
    provided(lossy)
    nowhere = replace(lossy.settings, registry_url=f"http://127.0.0.1:{servers.free_port()}")
    done = carnet(replace(lossy, settings=nowhere), "gc")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert rows(lossy, "awaited_document") == 1
    assert carnet(lossy, "gc").returncode == 0
    assert (rows(lossy, "awaited_document"), rows(lossy, "document")) == (0, 1)


# --- several repositories --------------------------------------------------------------------


def test_several_repositories_feed_one_registry(pair: Apart, lossy: Apart) -> None:
    """Each delivers what it keeps; a query shows the documents of all, a repository of another maker's too."""
    here, there = provided(pair, b"<here/>")[0], provided(lossy, b"<there/>")[0]
    foreign = an_entry(repository_unique_id="1.2.3.4")
    assert messages.submit(pair, a_submission(foreign), messages.REGISTER).status == "Success"
    wanted = ",".join(f"'{one}'" for one in (here, there, foreign.unique_id))
    found = messages.query(pair, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"({wanted})"})
    slots = [one for one in found.envelope.iter("{*}Slot") if one.get("name") == "repositoryUniqueId"]
    keepers = {"".join(one.itertext()).strip() for one in slots}
    assert keepers == {REPOSITORY, lossy.settings.repository_id, "1.2.3.4"}
    assert messages.contents(retrieved(lossy, there, lossy.settings.repository_id)) == [b"<there/>"]
    assert retrieved(lossy, here, REPOSITORY).codes == ["XDSUnknownRepositoryId"]
    assert retrieved(lossy, here, lossy.settings.repository_id).codes == ["XDSDocumentUniqueIdError"]


# --- a registry that is not there ------------------------------------------------------------


def test_without_its_registry_a_repository_stores_nothing_and_says_so(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("0123456789abcdef" * 2)
    nowhere = f"http://127.0.0.1:{servers.free_port()}"
    given = {"roles": "repository", "registry_url": nowhere, "internal_secret_file": str(secret)}
    with servers.in_process(servers.settings_for(tmp_path / "alone", **given)) as alone:
        ready = alone.request("GET", "/health/ready")
        assert (ready.status, ready.body) == (503, b"registry not ready\n")
        assert alone.request("GET", "/health/live").status == 200
        unique_id, answer = provided(alone)
        assert answer.codes == ["XDSRegistryNotAvailable"]
        assert "nothing was changed" in answer.contexts[0]
        assert retrieved(alone, unique_id).codes == ["XDSRegistryNotAvailable"]
        kept = [one for one in (alone.settings.data_folder / "documents").glob("*/*") if one.is_file()]
        assert (rows(alone, "awaited_document"), kept) == (0, [])
        assert carnet(alone, "fsck").returncode == 1


def test_a_wrong_secret_makes_a_repository_not_ready(pair: Apart, tmp_path: Path) -> None:
    wrong = tmp_path / "secret"
    wrong.touch(mode=0o600)
    wrong.write_text("another secret of two processes".replace(" ", "-") * 2)
    settings = replace(
        pair.settings, port=servers.free_port(), data=str(tmp_path / "data"), internal_secret_file=str(wrong)
    )
    with servers.in_process(settings) as running:
        assert running.request("GET", "/health/ready").status == 503
    assert Server.request(pair, "GET", "/health/ready").status == 200


# --- records in and out ----------------------------------------------------------------------


def settings_file(folder: Path, name: str, settings: Settings) -> Path:
    """A file with what differs from the defaults."""
    changed = {one.name: getattr(settings, one.name) for one in fields(Settings)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in changed.items() if value != getattr(Settings(), key)]
    file = folder / f"{name}.toml"
    file.write_text("\n".join(lines))
    return file


def test_a_record_is_exported_from_both_and_imported_into_both(tmp_path: Path) -> None:
    """Registry and repository of the export are opened beside their servers; an import goes through the doors."""
    reports, record = ROOT / "examples/reports", tmp_path / "record.zip"
    patient = a_report().entry.patient_id
    with servers.apart(new_folder(tmp_path / "one"), servers.in_process) as pair:
        servers.know_patients(pair.registry.settings, patient)
        url = f"http://127.0.0.1:{pair.settings.port}"
        imported = CliRunner().invoke(commands, ["import", str(reports), "--url", url, "--registry", pair.registry.url])
        assert (imported.exit_code, "0 refused" in imported.output) == (0, True), imported.output
        registry = settings_file(tmp_path, "registry", pair.registry.settings)
        repository = settings_file(tmp_path, "repository", pair.settings)
        words = ["export", patient.id, "--xdm", str(record), "--config", str(registry), "--json"]
        exported = CliRunner().invoke(commands, [*words, "--repository", str(repository)])
        assert exported.exit_code == 0, (exported.output, exported.exception)
    told = json.loads(exported.output)
    assert (told["documents"], told["leftOut"]) == (3, [])
    with servers.apart(new_folder(tmp_path / "other"), servers.in_process) as other:
        servers.know_patients(other.registry.settings, patient)
        url = f"http://127.0.0.1:{other.settings.port}"
        again = CliRunner().invoke(commands, ["import", str(record), "--url", url, "--registry", other.registry.url])
    assert (again.exit_code, "0 refused" in again.output) == (0, True), again.output


def test_an_export_holds_what_its_registry_took_unheard(lossy: Apart, losses: Losses, tmp_path: Path) -> None:
    losses.answers = 3
    report = a_report()
    client = XdsClient(f"http://127.0.0.1:{lossy.settings.port}", registry=lossy.registry.url)
    client.push([report], submission_unique_id="2.25.84")
    registry = settings_file(tmp_path, "registry", lossy.registry.settings)
    repository = settings_file(tmp_path, "repository", lossy.settings)
    words = ["export", report.entry.patient_id.id, "--xdm", str(tmp_path / "record.zip"), "--config", str(registry)]
    exported = CliRunner().invoke(commands, [*words, "--repository", str(repository), "--json"])
    assert exported.exit_code == 0, (exported.output, exported.exception)
    assert str(report.entry.unique_id) not in {one["uniqueId"] for one in json.loads(exported.output)["leftOut"]}


def test_one_of_two_processes_alone_says_what_an_export_needs(pair: Apart, tmp_path: Path) -> None:
    registry = settings_file(tmp_path, "registry", pair.registry.settings)
    done = CliRunner().invoke(
        commands, ["export", PATIENT.id, "--xdm", str(tmp_path / "record.zip"), "--config", str(registry)]
    )
    assert done.exit_code != 0
    assert "--repository FILE" in str(done.exception)


def new_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder
