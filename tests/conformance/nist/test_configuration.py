"""A run over TLS with a client certificate, https and mllps."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.failures import UnreachableServer
from conformance.nist.configuration import Configuration, check_server, open_session, open_system
from conformance.nist.kit import read_kit
from conformance.nist.run import Observer, run_kit
from conformance.nist.run_order import plan_run
from tests.certificates import Holder, a_certificate, an_authority
from tests.conformance.fake_servers import Reply, Request, mllp_server, soap_server
from tests.conformance.kits import a_plan, a_registry_response, a_step, a_submission, write_kit

SUBMIT = a_step("<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Holder]:
    folder = tmp_path_factory.mktemp("pki")
    authority = an_authority(folder)
    return {
        "authority": authority,
        "server": a_certificate(folder, "server", authority),
        "client": a_certificate(folder, "client", authority),
        "stranger": an_authority(folder, "Stranger"),
    }


@pytest.fixture
def server_tls(pki: dict[str, Holder]) -> ssl.SSLContext:
    """Asks every client for a certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki["authority"].file))
    context.load_cert_chain(pki["server"].file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def accept(message: bytes) -> bytes:
    return b"\x0bMSH|^~\\&\rMSA|AA|" + message.split(b"|")[9] + b"\r\x1c\r"


def succeed(request: Request) -> Reply:
    return Reply(body=a_registry_response())


@pytest.fixture
def addresses(server_tls: ssl.SSLContext) -> Iterator[dict[str, str]]:
    with soap_server(succeed, tls=server_tls) as server, mllp_server(accept, tls=server_tls) as (port, _):
        yield {"registry": server.url, "feed": f"mllps://127.0.0.1:{port}"}


def test_a_run_over_https_and_mllps_shows_its_client_certificate(
    addresses: dict[str, str], pki: dict[str, Holder], tmp_path: Path
) -> None:
    kit = read_kit(write_kit(tmp_path, {"1": {"a": {"testplan.xml": a_plan(SUBMIT), "m.xml": a_submission()}}}))
    configuration = Configuration(
        **addresses,  # type: ignore[arg-type]
        tls_authorities=pki["authority"].file,
        tls_certificate=pki["client"].file,
        timeout_seconds=10,
    )
    outcome = run_kit(
        kit, plan_run(kit, ["1"]), open_system(configuration), open_session(configuration, kit), Observer()
    )
    assert [str(finding) for step in outcome.steps for finding in step.failures] == []
    assert [step.transaction for step in outcome.steps] == ["ITI-8", "ITI-42"]


def test_a_server_of_an_authority_that_is_not_trusted_is_not_reached(
    addresses: dict[str, str], pki: dict[str, Holder]
) -> None:
    configuration = Configuration(
        **addresses,  # type: ignore[arg-type]
        tls_authorities=pki["stranger"].file,
        tls_certificate=pki["client"].file,
        timeout_seconds=10,
    )
    with pytest.raises(UnreachableServer, match="cannot be reached"):
        check_server(configuration, open_system(configuration))
