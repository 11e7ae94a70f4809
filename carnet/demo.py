"""The demonstration: a server, a patient, three reports, both doors, and an account of it all."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from carnet.address import address_of, with_port
from carnet.clock import clock
from carnet.demo_identities import Identities, make_identities
from carnet.fhir_client import FhirClient
from carnet.record_opening import open_known
from carnet.record_wiring import open_records
from carnet.registry_wiring import open_registry
from carnet.reports import Report, read_report, with_new_identity
from carnet.settings import Settings, load
from carnet.signing import signed_submission
from carnet.xds_client import XdsClient
from dmp import rights
from dmp.actor import OPERATOR
from dmp.life import Opening
from dmp.record import Channel
from dmp.rights import Whom
from dmp.sql import records
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX

T = TypeVar("T")
_START_SECONDS = 60
FILES = ("cr-consultation.xml", "lettre-liaison-sortie.xml", "cr-biologie.xml")


class DemoFailed(Exception):
    """A step of the demonstration went wrong; the text is one sentence."""


@dataclass(slots=True)
class Account:
    """Prints what was sent, what came back and how long each step took."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))

    def step(self, sentence: str, action: Callable[[], T], outcome: Callable[[T], str]) -> T:
        began = time.perf_counter()
        result = action()
        milliseconds = (time.perf_counter() - began) * 1000
        self.console.print(f"[bold]{sentence}[/bold]")
        self.console.print(f"    {outcome(result)}  [dim]({milliseconds:.0f} ms)[/dim]")
        return result

    def say(self, text: str) -> None:
        self.console.print(text)


def run(*, port: int, data: Path, reports: Path, keep_running: bool) -> int:
    """Run the demonstration; returns the exit code. With `keep_running` the server stays until Ctrl-C."""
    account = Account()
    try:
        read = _read_reports(reports)
        identities = account.step(
            "0. A test IGC issues a server certificate, the card of a doctor and the seal of a clinic",
            lambda: make_identities(data / "pki", read[0].entry.author[0]),
            lambda made: f"all in {made.folder}; whoever opens a connection shows a certificate from here on",
        )
        settings = _settings(port, data, identities)
        with _stopped_by_signals(), _server(settings) as process:
            _steps(account, settings, read, identities)
            _where_to_look(account, settings, identities)
            if keep_running:
                account.say("\nThe server keeps running; Ctrl-C stops it.")
                process.wait()
    except KeyboardInterrupt:
        account.say("\nstopped")
    except (DemoFailed, OSError) as problem:
        account.console.print(f"demonstration failed: {problem}", style="red")
        return 1
    except Exception as problem:  # noqa: BLE001 - whatever a step raises ends in one sentence
        account.console.print(f"demonstration failed: {type(problem).__name__}: {problem}", style="red")
        return 1
    return 0


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Whatever ends the demonstration, a closed terminal too, ends its server."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settings(port: int, data: Path, identities: Identities) -> Settings:
    given = {"port": port, "data": str(data), "certificate": str(identities.server), "trust": str(identities.trust)}
    settings = with_port(load(given))
    return replace(settings, health=with_port(replace(settings, port=0)).address)


@contextmanager
def _server(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """`carnet serve` as a process of its own, its log beside its data, stopped at the end."""
    _check_port(settings)
    with (Path(settings.data) / "server.log").open("ab") as log:
        command = [sys.executable, "-m", "carnet", "serve", "--host", settings.host]
        command += ["--port", str(settings.port), "--data", settings.data, "--health", settings.health]
        command += ["--certificate", settings.certificate, "--trust", settings.trust]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _wait_until_ready(settings, process)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _check_port(settings: Settings) -> None:
    """Fails with one sentence when something else listens on the port."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return
    connection.close()
    raise DemoFailed(f"port {settings.port} is in use; stop what listens there or give --port")


def _wait_until_ready(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoFailed(f"the server stopped at once; see {Path(settings.data) / 'server.log'}")
        connection = http.client.HTTPConnection(*address_of(settings.health, "health"), timeout=2)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise DemoFailed(f"the server was not ready within {_START_SECONDS} s")


def _steps(account: Account, settings: Settings, reports: list[Report], identities: Identities) -> None:
    patient_id = reports[0].entry.patient_id
    if patient_id is None:
        raise DemoFailed("the reports name no patient")
    proof = identities.proof(patient_id)
    xds, fhir = XdsClient(settings.public_url, proof=proof), FhirClient(settings.public_url, proof=proof)
    account.step(
        f"1. The record of a patient with a test INS is opened, who authorises the doctor to read: {patient_id.id}",
        lambda: _open_record(settings, patient_id, identities.doctor.identifier),
        lambda opened: "open" if opened else "open since an earlier run",
    )
    before = len(_found(xds, patient_id))
    _push(account, xds, reports, identities)
    account.step(
        "3. An EHR asks the registry for the patient's documents by FindDocuments [ITI-18]",
        lambda: _found(xds, patient_id),
        lambda ids: f"{len(ids)} DocumentEntry came back, {len(ids) - before} new; nobody sees the signature of a lot",
    )
    _retrieve(account, xds, reports)
    rows = account.step(
        "5. An EHR asks by FHIR for DocumentReference [ITI-67]",
        lambda: fhir.find(patient_id),
        lambda rows: f"Bundle with {len(rows)} DocumentReference",
    )
    wanted = {report.entry.unique_id: report for report in reports}
    mine = [row for row in rows if row["uniqueId"] in wanted]
    if len(mine) != len(reports):
        raise DemoFailed(f"FHIR found {len(mine)} of {len(reports)} reports")
    account.step(
        "6. It reads each document from its URL [ITI-68]",
        lambda: [fhir.document(row) == wanted[row["uniqueId"]].content for row in mine],
        _same_bytes,
    )


def _read_reports(folder: Path) -> list[Report]:
    """The example reports, each under a new uniqueId so that the demonstration can be repeated."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DemoFailed(f"{folder}: missing {', '.join(missing)}; run it from the checkout or give --reports")
    return [
        with_new_identity(read_report((folder / name).read_bytes(), entry_uuid=f"Document{number:02}"))
        for number, name in enumerate(FILES, start=1)
    ]


def _open_record(settings: Settings, patient_id: CX, professional: str) -> bool:
    """As `carnet record open` and `authorise` do; False where it was open."""
    registry, dmp, now = open_registry(settings), open_records(settings), clock(settings.clock)()
    opening = Opening(channel=Channel.RECEPTION, how="demonstration")

    def work(unit: UnitOfWork) -> bool:
        known = records.find(unit.connection, patient_id.key)
        is_new = known is None or not known.is_active
        if is_new:
            open_known(registry, dmp, unit, patient_id.key, opening, by=OPERATOR, now=now)
        rights.authorise(dmp, unit, patient_id.key, Whom(id=professional), by=OPERATOR, now=now)
        return is_new

    try:
        return registry.units.write(work)
    finally:
        registry.units.close()


def _push(account: Account, xds: XdsClient, reports: list[Report], identities: Identities) -> None:
    sizes = ", ".join(f"{report.entry.title} ({len(report.content) // 1000} kB)" for report in reports)
    answer = account.step(
        f"2. A doctor's software pushes three reports by Provide and Register [ITI-41], signed by the card: {sizes}",
        lambda: xds.push(reports, sign=partial(signed_submission, signer=identities.signer)),
        lambda answer: answer.status.rpartition(":")[2],
    )
    if not answer.is_success:
        raise DemoFailed("; ".join(f"{error.code}: {error.context}" for error in answer.errors))


def _found(xds: XdsClient, patient_id: CX) -> list[str]:
    return [entry.unique_id or "" for entry in xds.find_documents(patient_id).documents]


def _retrieve(account: Account, xds: XdsClient, reports: list[Report]) -> None:
    unique_ids = [report.entry.unique_id or "" for report in reports]

    def retrieved() -> tuple[bytes, ...]:
        repository = xds.document_entry(unique_ids[0]).repository_unique_id or ""
        return xds.retrieve(unique_ids, repository=repository).contents

    account.step(
        "4. It retrieves the three documents by Retrieve Document Set [ITI-43]",
        lambda: [content == report.content for content, report in zip(retrieved(), reports, strict=True)],
        _same_bytes,
    )


def _same_bytes(same: list[bool]) -> str:
    if not all(same):
        raise DemoFailed("a document came back with other bytes than were sent")
    return f"{len(same)} documents, byte for byte what was sent"


def _where_to_look(account: Account, settings: Settings, identities: Identities) -> None:
    url = settings.public_url
    account.say("\nWhere to look next:")
    account.say(f"    {url}/xds/registry?wsdl    {url}/xds/repository?wsdl    {url}/fhir/metadata")
    account.say(f"    http://{settings.health}/health/ready, which asks for no certificate")
    for line in identities.commands(url):
        account.say(f"    {line}")
    account.say(f"    examples/push_report.py, examples/find_documents.py    data and log: {settings.data}")
