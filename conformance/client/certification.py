"""A certification, opened: the server behind, the recorder in front of it, the session, the page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.client.exchanges import Laboratory, read_authorities, read_revocations
from conformance.client.fhir_messages import TRANSACTIONS as FHIR_TRANSACTIONS
from conformance.client.preparation import Prepared, server_behind
from conformance.client.recorder import Recorder
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import People, Step
from conformance.client.session import Session
from conformance.client.web import WebView
from conformance.run_folder import RunFolder

REPORT = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """What is running: `url` is where the software connects, `page` where a person looks, `backend` a socket."""

    session: Session
    prepared: Prepared
    url: str
    page: str
    backend: Path
    place: Mapping[str, str]


def laboratory_of(prepared: Prepared, people: People) -> Laboratory:
    """Raises KitError naming a file that cannot be used."""
    trust = prepared.trust
    return Laboratory(people=people, authorities=read_authorities(trust), revocations=read_revocations(trust))


@contextmanager
def open_certification(
    prepared: Prepared,
    people: People,
    steps: tuple[Step, ...],
    folder: RunFolder,
    address: tuple[str, int],
    *,
    name: str = "",
    page_port: int = 0,
    patience: float = 30.0,
    rules: Sequence[Rule] | None = None,
) -> Iterator[Certification]:
    """Everything started, and stopped in the end. Raises KitError.

    `address`: HOST and port to listen on, 0 for a free one; `name`: what the software calls HOST, where it differs.
    """
    sockets = TemporaryDirectory(prefix="certification-")  # the path of a socket may have a hundred octets
    backend = Path(sockets.name) / "server"
    trusted, untrusted = prepared.context(), prepared.untrusted_context()
    session = Session(steps, laboratory_of(prepared, people), folder, rules=rules)
    recorder = Recorder(
        address,
        context=lambda: untrusted if session.is_untrusted else trusted,
        backend=str(backend),
        answering=session.answering,
        on_recorded=session.recorded,
        patience=patience,
    )
    url = f"https://{name or address[0]}:{recorder.port}"
    place = {"server": url, "identities": str(prepared.pki / "issued"), "trust": str(prepared.trust)}
    if any(one in FHIR_TRANSACTIONS for step in steps for one in step.expects):
        place["token"] = f"python -m conformance token {folder.path} --server {url}"
    page = WebView(session, people, port=page_port, place=place)
    try:
        with server_behind(prepared, url, backend):
            recorder.start()
            page.start()
            yield Certification(
                session=session, prepared=prepared, url=url, page=page.url, backend=backend, place=place
            )
    finally:
        recorder.stop()
        session.close()
        page.stop()
        sockets.cleanup()
