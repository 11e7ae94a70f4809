"""A full disk, a store that is away, a database that is stopped: what is answered, what goes on, what comes back.

Against started servers. Full disks are small tmpfs mounts where root can mount them; the limit on the size of a
file stands for them everywhere.
"""

import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import messages, mounts, postgresql, servers
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry
from tests.messages import FIND_DOCUMENTS, REGISTER, Answered
from tests.servers import Server
from xds.identifiers import new_uuid_urn
from xds.metadata import DocumentEntry, Submission

CONTENT = b"<ClinicalDocument/>"
LARGE = b"<a>" + b"x" * 400_000 + b"</a>"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
SECONDS_TO_COME_BACK = 60

needs_mount = pytest.mark.skipif(bool(mounts.refusal()), reason=mounts.refusal() or "mounts are possible")


def new_entry(content: bytes = CONTENT, patient_id: object = PATIENT) -> DocumentEntry:
    return an_entry(entry_uuid=new_uuid_urn(), content=content, patient_id=patient_id)


def provide(server: Server, submission: Submission, content: bytes = CONTENT) -> Answered:
    (entry,) = submission.document_entries
    return messages.provide(server, submission, {entry.entry_uuid: content})


def kept(server: Server) -> DocumentEntry:
    """A document that was acknowledged before anything fails."""
    entry = new_entry()
    answer = provide(server, a_submission(entry))
    assert answer.status == "Success", answer.contexts
    return entry


def assert_reads_go_on(server: Server, entry: DocumentEntry, *, documents: bool = True) -> None:
    """ITI-18, ITI-67 and, where the documents are there, ITI-43 and ITI-68."""
    slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT.key}'", "$XDSDocumentEntryStatus": f"('{APPROVED}')"}
    assert entry.entry_uuid.encode() in messages.query(server, FIND_DOCUMENTS, slots).response.body
    search = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}%7C{PATIENT.id}"
    assert server.request("GET", search).status == 200
    binary = server.request("GET", f"/fhir/Binary/{entry.entry_uuid.removeprefix('urn:uuid:')}")
    retrieved = messages.retrieve(server, (REPOSITORY, entry.unique_id or ""))
    if documents:
        assert (binary.status, binary.body) == (200, CONTENT)
        assert messages.contents(retrieved) == [CONTENT]
    else:
        assert binary.status == 503
        assert (retrieved.status, retrieved.codes) == ("Failure", ["XDSRepositoryError"])


def assert_refused(answer: Answered, code: str) -> None:
    assert (answer.response.status, answer.status, answer.codes) == (200, "Failure", [code]), answer.contexts


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.name != mounts.FILLER}


def register(server: Server) -> Answered:
    return messages.submit(server, a_submission(new_entry()), REGISTER)


# --- documents -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SQLite and documents, each on a small file system of its own where that is possible."""
    root = tmp_path_factory.mktemp("storage")
    with ExitStack() as stack:
        if mounts.refusal():
            (root / "documents").mkdir()
            (root / "database").mkdir()
        else:
            stack.enter_context(mounts.tmpfs(root / "documents", megabytes=4))
            stack.enter_context(mounts.tmpfs(root / "database", megabytes=8))
        settings = servers.settings_for(
            root / "data", f"sqlite:///{root / 'database' / 'carnet.sqlite'}", documents=(root / "documents").as_uri()
        )
        running = stack.enter_context(servers.started(settings))
        servers.know_patients(settings)
        yield running


def documents_of(server: Server) -> Path:
    return Path(server.settings.documents.removeprefix("file://"))


@needs_mount
def test_a_full_disk_of_documents_refuses_new_ones_and_serves_the_others(server: Server) -> None:
    before, folder = kept(server), documents_of(server)
    held = files(folder)
    late = a_submission(new_entry(LARGE))
    with mounts.filled(folder):
        assert_refused(provide(server, late, LARGE), "XDSRepositoryOutOfResources")
        assert files(folder) == held
        assert_reads_go_on(server, before)
        assert register(server).status == "Success"
    assert provide(server, late, LARGE).status == "Success"


def test_a_document_larger_than_files_may_be_is_out_of_resources(server: Server) -> None:
    """The limit on the size of a file, set on the running server: needs no root, and no file system of its own."""
    before, folder = kept(server), documents_of(server)
    held, late = files(folder), a_submission(new_entry(LARGE))
    with _file_size_limit(server, 300_000):
        assert_refused(provide(server, late, LARGE), "XDSRepositoryOutOfResources")
        assert files(folder) == held
        assert_reads_go_on(server, before)
    assert provide(server, late, LARGE).status == "Success"


@contextmanager
def _file_size_limit(server: Server, octets: int) -> Iterator[None]:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    assert children, "the server has no worker"
    before = {int(pid): resource.prlimit(int(pid), resource.RLIMIT_FSIZE) for pid in children}
    try:
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (octets, hard))
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def test_a_folder_of_documents_that_is_away_is_not_made_anew(server: Server) -> None:
    """A mount that is lost leaves an empty folder: what was written there would be lost when it comes back."""
    before, folder = kept(server), documents_of(server)
    late = a_submission(new_entry())
    with _away(folder):
        assert_refused(provide(server, late), "XDSRepositoryError")
        assert files(folder) == set()
        assert_reads_go_on(server, before, documents=False)
        assert register(server).status == "Success"
        _wait_for_health(server, "ready, documents out of reach", documents_reached=0)
    _wait_for_health(server, "ready", documents_reached=1)
    assert_reads_go_on(server, before)
    assert provide(server, late).status == "Success"


def _wait_for_health(server: Server, text: str, *, documents_reached: int) -> None:
    """Metadata are served all the time, so the status is 200; documents are looked for every few seconds."""
    deadline = time.monotonic() + SECONDS_TO_COME_BACK
    while (answer := server.request("GET", "/health/ready")).body != f"{text}\n".encode():
        assert time.monotonic() < deadline, answer.body
        threading.Event().wait(0.2)
    assert answer.status == 200
    samples = server.request("GET", "/metrics").body.decode().splitlines()
    (reached,) = (one.rpartition(" ")[2] for one in samples if one.startswith("carnet_documents_reached{"))
    assert reached == str(documents_reached)


@contextmanager
def _away(folder: Path) -> Iterator[None]:
    """An empty folder in its place: another mount over it, or where that cannot be, another folder."""
    if not mounts.refusal():
        with mounts.tmpfs(folder, megabytes=4):
            yield
        return
    away = folder.with_name("away")
    folder.rename(away)
    folder.mkdir()
    try:
        yield
    finally:
        folder.rmdir()
        away.rename(folder)


@needs_mount
def test_documents_that_can_only_be_read_are_read(server: Server) -> None:
    before, folder = kept(server), documents_of(server)
    late = a_submission(new_entry())
    mounts.remount(folder, "ro")
    try:
        assert_refused(provide(server, late), "XDSRepositoryError")
        assert_reads_go_on(server, before)
    finally:
        mounts.remount(folder, "rw")
    assert provide(server, late).status == "Success"


# --- database --------------------------------------------------------------------------------


@needs_mount
def test_a_full_disk_of_the_database_refuses_submissions_and_serves_what_is_there(server: Server) -> None:
    before = kept(server)
    database = Path(server.settings.database.removeprefix("sqlite:///"))
    with mounts.filled(database.parent):
        late = _until_refused(lambda submission: provide(server, submission))
        assert_refused(provide(server, late), "XDSRegistryOutOfResources")
        assert_refused(register(server), "XDSRegistryOutOfResources")
        assert_reads_go_on(server, before)
    assert provide(server, late).status == "Success"
    for entry in (before, *late.document_entries):
        assert_reads_go_on(server, entry)


def _until_refused(attempt: Callable[[Submission], Answered]) -> Submission:
    """Room that the database had taken before is used up first."""
    deadline = time.monotonic() + SECONDS_TO_COME_BACK
    while time.monotonic() < deadline:
        submission = a_submission(new_entry())
        answer = attempt(submission)
        if answer.status == "Failure":
            assert answer.codes == ["XDSRegistryOutOfResources"]
            return submission
    raise AssertionError("a full disk refused nothing")


def test_a_database_locked_by_another_process_lets_reads_through_and_writes_wait(server: Server) -> None:
    before = kept(server)
    database = server.settings.database.removeprefix("sqlite:///")
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answers: list[Answered] = []
        waiting = threading.Thread(target=lambda: answers.append(register(server)))
        waiting.start()
        assert_reads_go_on(server, before)
        assert answers == []
        other.execute("ROLLBACK")
        waiting.join()
        assert [answer.status for answer in answers] == ["Success"]
        other.execute("BEGIN IMMEDIATE")
        late = a_submission(new_entry())
        assert_refused(register(server), "XDSRegistryBusy")
        assert_refused(provide(server, late), "XDSRegistryBusy")
        assert_reads_go_on(server, before)
    finally:
        other.close()
    assert provide(server, late).status == "Success"


@pytest.mark.postgresql
def test_a_server_outlives_its_postgresql_and_serves_again_when_that_is_back(tmp_path: Path) -> None:
    if postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    port = servers.free_port()
    with ExitStack() as stack:
        # Not below tmp_path, which the user that PostgreSQL runs as may not enter.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carnet-postgresql-")))
        database = ExitStack()
        stack.callback(database.close)
        url = database.enter_context(postgresql.running(keep_in=home, port=port))
        settings = servers.settings_for(tmp_path / "data", url, workers=2)
        server = stack.enter_context(servers.started(settings))
        servers.know_patients(settings)
        before, late = kept(server), a_submission(new_entry())
        for _ in range(2):
            database.close()
            _assert_everything_is_refused(server, before, late)
            database.enter_context(postgresql.running(keep_in=home, port=port))
            _wait_until_ready(server)
            assert_reads_go_on(server, before)
            assert provide(server, late).status == "Success"
            before = late.document_entries[0]
            late = a_submission(new_entry())


def _assert_everything_is_refused(server: Server, before: DocumentEntry, late: Submission) -> None:
    for _ in range(4):  # both workers, and connections that are found dead only when they are used
        assert_refused(provide(server, late), "XDSRegistryError")
        assert_refused(register(server), "XDSRegistryError")
        slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT.key}'", "$XDSDocumentEntryStatus": f"('{APPROVED}')"}
        assert_refused(messages.query(server, FIND_DOCUMENTS, slots), "XDSRegistryError")
        assert_refused(messages.retrieve(server, (REPOSITORY, before.unique_id or "")), "XDSRegistryError")
        search = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}%7C{PATIENT.id}"
        answer = server.request("GET", search)
        assert (answer.status, b"OperationOutcome" in answer.body) == (503, True)
        assert answer.headers["retry-after"]
        assert server.request("GET", "/health/ready").status == 503
        assert server.request("GET", "/health/live").status == 200


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + SECONDS_TO_COME_BACK
    while server.request("GET", "/health/ready").status != 200:
        assert time.monotonic() < deadline, "not ready again"
        threading.Event().wait(0.1)
