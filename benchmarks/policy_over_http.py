"""What the policy costs over HTTP: the same requests to two servers of one database, one of which has the open policy.

10,000 records with 200 authorisations each; the caller is told 20 documents of 60. The open policy is asked about a
patient who has nothing but 20 ("same answer"), and about the same patient, whose 60 it tells ("same record"). Both
servers take the same assertion at its word; requests alternate. Times are CPU times of this process, in which client
and servers are, and of the processes of PostgreSQL that answer them: other programs do not count.

python -m benchmarks.policy_over_http --database postgresql+psycopg://carnet@localhost/empty
python -m benchmarks.policy_over_http --records 500 --authorisations 20 --rounds 100
"""

import base64
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import click
from sqlalchemy import text
from werkzeug.serving import make_server

from access_policy.make_vihf import security_header
from access_policy.policy import OPEN_POLICY
from benchmarks import machine
from benchmarks.policy import Row, filled, measured, patient_of, show
from carnet.application import application
from carnet.settings import Settings, load
from carnet.wiring import open_actors
from storage.engine import open_engine
from tests import messages, postgresql, sts
from tests.access_policy.callers import PERSON
from tests.servers import Server, free_port
from xds.datatypes import CX

RESULT = machine.ROOT / "benchmarks" / "results" / "policy_over_http.json"
_APPROVED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
Ask = Callable[[Server, CX], int]


@click.command()
@click.option("--records", default=10_000, show_default=True, help="Open records.")
@click.option("--authorisations", default=200, show_default=True, help="Of each record.")
@click.option("--rounds", default=400, show_default=True, help="Questions of each kind.")
@click.option("--database", default="", help="URL of an empty PostgreSQL database; default one started for this.")
@click.option("--keep/--no-keep", default=False, help="Write the result to benchmarks/results.")
def main(records: int, authorisations: int, rounds: int, database: str, keep: bool) -> None:
    """Measure over loopback, both servers on threads of one process, on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, nullcontext(database) if database else postgresql.running() as url:
        given = {"data": folder, "database": url, "security": "open", "audit": "off"}
        settings = load({**given, "port": free_port()})
        with filled(settings, records, authorisations):
            pass
        click.echo(f"{records} records with {authorisations} authorisations each are there", err=True)
        with _serving(settings) as judged, _serving(load({**given, "port": free_port()}), is_open=True) as opened:
            rows = [_measured(judged, opened, name, rounds) for name in _QUESTIONS]
    told = {"clock": "CPU of the process and the backends", "database": "postgresql"}
    show(rows, RESULT if keep else None, **told, records=records, authorisations=authorisations)


@contextmanager
def _serving(settings: Settings, *, is_open: bool = False) -> Iterator[Server]:
    actors = open_actors(settings)
    if is_open and actors.registry is not None:
        actors.registry.policy = OPEN_POLICY
    listening = make_server(settings.host, settings.port, application(actors), threaded=True)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield Server(url=f"http://{settings.address}", settings=settings)
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
        actors.units.close()


@cache
def _assertion(patient: CX) -> bytes:
    """Made once for each patient: signing is the client's work."""
    return security_header(sts.a_vihf(sts.a_claim(subject=PERSON, patient_id=patient)))


def _find_documents(server: Server, patient: CX) -> int:
    slots = {"$XDSDocumentEntryPatientId": f"'{patient.key}'", "$XDSDocumentEntryStatus": _APPROVED}
    message = messages.envelope(messages.query_body(messages.FIND_DOCUMENTS, slots), messages.QUERY_ACTION)
    message = message.replace(b"</e:Header>", _assertion(patient) + b"</e:Header>")
    answer = server.post("/xds/registry", message, messages.simple_type(messages.QUERY_ACTION))
    return answer.body.count(b"<rim:ExtrinsicObject ") or answer.body.count(b"<ExtrinsicObject ")


def _search(server: Server, patient: CX) -> int:
    header = _assertion(patient)
    inside = header[header.index(b">") + 1 : header.rindex(b"</wsse:Security>")]
    token = base64.urlsafe_b64encode(inside).decode().rstrip("=")
    path = f"/fhir/DocumentReference?patient.identifier=urn:oid:{patient.authority}|{patient.id}&_count=100"
    answer = server.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    return answer.body.count(b'"resourceType":"DocumentReference"')


_QUESTIONS: dict[str, Ask] = {"FindDocuments [ITI-18]": _find_documents, "DocumentReference [ITI-67]": _search}


def _measured(judged: Server, opened: Server, name: str, rounds: int) -> Row:
    def asked(kind: str, patient: CX) -> int:
        return _QUESTIONS[name](judged if kind == "policy" else opened, patient)

    for kind in ("policy", "record"):  # every connection is there before its process is asked for
        asked(kind, patient_of(0))
    return measured(name, rounds, asked, clock=_clock(judged.settings))


def _clock(settings: Settings) -> Callable[[], float]:
    """Seconds of CPU of this process and of the backends of its database."""
    engine = open_engine(settings.database_url)
    with engine.connect() as connection:
        backends = connection.execute(text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"))
        times = [Path(f"/proc/{pid}/schedstat") for pid in backends.scalars()]
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    engine.dispose()
    others = [one for one in times if one.parent.name != str(own)]
    return lambda: time.process_time() + sum(int(one.read_text().split()[0]) for one in others) / 1e9


if __name__ == "__main__":
    main()
