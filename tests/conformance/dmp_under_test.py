"""A Carnet of the dmp domain over mutual TLS, fed with a data set of the kit as a vendor would feed a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from carnet.clock import true_time
from carnet.record_opening import open_known
from carnet.record_wiring import open_records
from carnet.registry_wiring import open_registry
from carnet.settings import Settings
from conformance.population.write_set import Size, read_table, write_set
from dmp import rights
from dmp.actor import OPERATOR
from dmp.life import Opening
from dmp.record import Channel
from dmp.rights import Whom
from storage.unit_of_work import UnitOfWork
from tests import servers
from tests.servers import Server
from xds.datatypes import CX


def a_data_set(folder: Path, patients: int = 20) -> Path:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    write_set(Size(patients=patients, documents=1, seed=11, now=now), folder)
    return folder


@contextmanager
def fed(data: Path, folder: Path) -> Iterator[Server]:
    """The server trusts the authorities of the set, knows its patients, and has opened the records that are open."""
    settings = settings_of(data, folder)
    know(settings, data)
    with servers.started(settings) as running:
        yield running


def settings_of(data: Path, folder: Path) -> Settings:
    """Those of a server as its vendor would set it up."""
    return servers.settings_for(
        folder,
        domain="dmp",
        security="mtls",
        certificate=str(data / "pki" / "issued" / "server-server.pem"),
        trust=str(data / "pki" / "trust"),
        health=f"127.0.0.1:{servers.free_port()}",
        cda_validity="warn",
    )


def know(settings: Settings, data: Path) -> None:
    """Patients, records and rights of a data set."""
    registry = open_registry(settings)
    dmp, now = open_records(settings), true_time()
    opening = Opening(channel=Channel.RECEPTION, how="test")

    def work(unit: UnitOfWork) -> None:
        for row in read_table(data, "patients.csv"):
            patient = CX(row["cx"])
            if row["is_open"] != "true":
                registry.add_patient(unit, patient)
                continue
            open_known(registry, dmp, unit, patient.key, opening, by=OPERATOR, now=now)
            for reader in row["authorised"].split():
                rights.authorise(dmp, unit, patient.key, Whom(id=reader), by=OPERATOR, now=now)

    try:
        registry.units.write(work)
    finally:
        registry.units.close()


def configuration(server: Server, data: Path, folder: Path, *, more: str = "") -> Path:
    """The TOML file of the run."""
    url = f"https://localhost:{server.settings.port}/xds"
    file = folder / "server.toml"
    file.write_text(
        f'name = "Carnet"\n[tls]\nauthorities = "{data}/pki/trust/root.pem"\n'
        f'[dmp]\ndata = "{data}"\nregistry = "{url}/registry"\nrepository = "{url}/repository"\n'
        f'patients = "{url}/patients"\nhabilitations = "{url}/habilitations"\n{more}',
        encoding="utf-8",
    )
    return file
