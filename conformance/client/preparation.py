"""What a certification needs before its first step: test identities, patients in their states, the server behind.

The server is Carnet, driven by its commands alone, so that nothing of it is imported. It listens on a unix socket,
where the recorder hands it requests and the certificates of their clients.
"""

import ctypes
import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.client.recorder import UnixConnection
from conformance.client.scenarios import SHIPPED, People
from conformance.failures import KitError
from conformance.sentence import Sentence

START_SECONDS = 90
_DOCUMENT, _ISSUERS = "prepared.xml", "issuers.toml"
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
# Of the SubmissionSet that a document published alone [ITI-105] is in. DMP, JDV_J59
_CONTENT_TYPE = "07^^1.2.250.1.213.2.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Where everything lies: `pki/issued` is what the vendor's software is given, `pki/trust` whom it believes."""

    folder: Path

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def trust(self) -> Path:
        return self.pki / "trust"

    @property
    def data(self) -> Path:
        return self.folder / "server"

    @property
    def issuer(self) -> Path:
        """Of tokens (JWT), which the server believes."""
        return self.folder / "issuer"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def issued(self, name: str, use: str) -> Path:
        return self.pki / "issued" / f"{name}-{use}.pem"

    def context(self) -> ssl.SSLContext:
        """TLS of the server: a certificate is asked for, its absence is for a rule to judge."""
        return self._context(self.issued("server", "server"))

    def untrusted_context(self) -> ssl.SSLContext:
        """The same server with a certificate of an authority that nobody knows."""
        return self._context(self.folder / "unknown-pki" / "issued" / "server-server.pem")

    def check(self) -> None:
        """That the server can be started with it. Raises KitError naming a file."""
        self.context()
        self.untrusted_context()

    def _context(self, certificate: Path) -> ssl.SSLContext:
        """Suites beyond those of the DMP too: what a client would use is to be seen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("DEFAULT")
        context.verify_mode = ssl.CERT_OPTIONAL
        for file in (certificate, *sorted(self.trust.glob("*.pem"))):
            try:
                if file == certificate:
                    context.load_cert_chain(file, file.with_suffix(".key"))
                else:
                    context.load_verify_locations(cafile=str(file))
            except OSError as problem:
                raise self._unusable(file, problem) from None
        return context

    def _unusable(self, file: Path, problem: OSError) -> KitError:
        """The kit made it, and can make it again."""
        fr = f"{file} ne peut pas être utilisé ({problem}) : supprimez {self.folder}, le kit le refait"
        return KitError(Sentence(fr, f"{file} cannot be used ({problem}): delete {self.folder}, the kit makes it anew"))


def prepare(folder: Path, people: People, hosts: tuple[str, ...]) -> Prepared:
    """Identities and patients in a folder; what an earlier run prepared is kept. Raises KitError."""
    prepared = Prepared(folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not prepared.issuer.exists():
        _carnet("token", "init", str(prepared.issuer))
    if (folder / "prepared").exists():
        return prepared
    for pki in (prepared.pki, folder / "unknown-pki"):
        _carnet("pki", "init", "--pki", str(pki))
        _carnet("pki", "issue", "server", "server", *hosts, "--pki", str(pki))
    structure = people.structure
    for holder in (people.doctor, people.employee):
        names = ("--family", holder.family, "--given", holder.given)
        _carnet("pki", "issue", "card", holder.id, *names, "--pki", str(prepared.pki))
    _carnet("pki", "issue", "structure", structure.id, "--name", structure.name, "--pki", str(prepared.pki))
    _carnet("db", "upgrade", "--data", str(prepared.data))
    _open_records(prepared, people)
    _carnet("import", str(_document_folder(prepared)), "--data", str(prepared.data))
    (folder / "prepared").touch()
    return prepared


def _open_records(prepared: Prepared, people: People) -> None:
    for patient in people.patients:
        if patient.state != "none":
            born = ("--birth-date", patient.born)
            _carnet("record", "open", patient.ins, *born, "--data", str(prepared.data))
        if patient.state == "open":
            _carnet("record", "authorise", patient.ins, people.doctor.id, "--data", str(prepared.data))


def _document_folder(prepared: Prepared) -> Path:
    """A folder with the document that is to be found."""
    folder = prepared.folder / "documents"
    folder.mkdir(exist_ok=True)
    (folder / _DOCUMENT).write_bytes((SHIPPED / _DOCUMENT).read_bytes())
    return folder


def make_token(prepared: Prepared, people: People, patient: str, server: str, *, minutes: int) -> str:
    """A new token (JWT) of the doctor about a patient, for the server at this address. Raises KitError. IUA 3.71"""
    doctor, about = people.doctor, people.patient(patient)
    who = ("--subject", doctor.id, "--name", f"{doctor.given} {doctor.family}", "--structure", people.structure.id)
    roles = ("--role", doctor.profession, "--role", doctor.speciality)
    use = ("--mode", "direct", "--patient", about.ins, "--audience", f"{server.rstrip('/')}/fhir")
    folder = ("--folder", str(prepared.issuer), "--minutes", str(minutes))
    return _carnet("token", "make", *folder, *who, *roles, *use).strip()


def _carnet(*arguments: str) -> str:
    """What one command of Carnet prints. Raises KitError with what it said."""
    command = [sys.executable, "-m", "carnet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(), timeout=300)
    if done.returncode:
        begun, told = " ".join(("carnet", *arguments[:3])), done.stderr.strip() or done.stdout.strip()
        raise KitError(Sentence(f"{begun} a échoué : {told}", f"{begun} failed: {told}"))
    return done.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}


@contextmanager
def server_behind(prepared: Prepared, url: str, socket: Path) -> Iterator[None]:
    """Carnet behind the recorder, stopped at the end. Raises KitError."""
    command = [sys.executable, "-m", "carnet", "serve", "--host", f"unix:{socket}", "--base-url", url]
    command += ["--data", str(prepared.data), "--trust", str(prepared.trust)]
    command += ["--derived-content-type", _CONTENT_TYPE, "--token-issuers", str(prepared.issuer / _ISSUERS)]
    with prepared.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=_environment(),
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    try:
        _await(socket, process, prepared.log)
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _end_with_parent() -> None:
    """A kit that is killed leaves no server. Linux: prctl(2), PR_SET_PDEATHSIG; elsewhere it is left.

    Runs between fork and exec, beside threads: it imports nothing and takes no lock.
    """
    if _PRCTL is not None:
        _PRCTL(1, signal.SIGTERM)


def _await(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise KitError(
                Sentence(f"le serveur s'est arrêté aussitôt : voir {log}", f"the server stopped at once; see {log}")
            )
        connection = UnixConnection(str(socket))
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    late = Sentence(f"n'était pas prêt après {START_SECONDS} s", f"was not ready within {START_SECONDS} s")
    raise KitError(Sentence(f"le serveur {late.fr} : voir {log}", f"the server {late}; see {log}"))
