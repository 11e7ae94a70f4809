"""How a client of these commands meets a server: the certificate and assertion it shows, and how long it waits."""

import base64
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from lxml import etree

from access_policy.make_vihf import security_header
from access_policy.security_header import SAML, WSSE
from carnet.exchange import ClientError
from xds.xml import BadXml, parse

TIMEOUT_SECONDS = 60.0
_ASSERTION = f"{{{SAML}}}Assertion"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PLACE = click.Path(exists=True, path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`context` None speaks plain HTTP; `assertion` None shows none; `token`, a JWT, takes its place over FHIR.

    `timeout`: seconds of silence after which an answer is no longer waited for.
    `carried`: another block of the SOAP header that says for whom it is, `headers` of HTTP that make it believed.
    """

    context: ssl.SSLContext | None = None
    assertion: etree._Element | None = None
    token: str = ""
    carried: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT_SECONDS

    @property
    def security_header(self) -> bytes:
        """The blocks of a SOAP header that say who asks: wsse:Security with an assertion. ITI TF-2: 3.40.4.1.2"""
        return self.carried if self.assertion is None else security_header(self.assertion) + self.carried

    @property
    def authorization(self) -> dict[str, str]:
        """The token of HTTP: a JWT, or the assertion as base64url. IUA 3.72, SAML Token option; RFC 6750, 7522"""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.assertion is None:
            return {}
        octets = etree.tostring(self.assertion, encoding="UTF-8", with_tail=False)
        return {"Authorization": f"Bearer {base64.urlsafe_b64encode(octets).decode()}"}


NO_PROOF = Proof()


def client_context(certificate: Path, key: Path | None, authorities: Path) -> ssl.SSLContext:
    """TLS of a client: its certificate, and whose servers it believes. Raises ClientError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    files = sorted(authorities.glob("*.pem")) if authorities.is_dir() else [authorities]
    try:
        for file in files:
            context.load_verify_locations(cafile=str(file))
        beside = certificate.with_suffix(".key")
        context.load_cert_chain(certificate, key or (beside if beside.is_file() else None))
    except OSError as problem:
        raise ClientError(f"{certificate} and {authorities}: {problem}") from problem
    return context


def read_assertion(file: Path) -> etree._Element:
    """A signed assertion, or the header with one, as `carnet vihf make` writes them. Raises click.UsageError."""
    try:
        root = parse(file.read_bytes())
    except BadXml as problem:
        raise click.UsageError(f"{file}: {problem}") from None
    found = root.find(_ASSERTION) if root.tag == f"{{{WSSE}}}Security" else root
    if found is None or found.tag != _ASSERTION:
        raise click.UsageError(f"{file}: expected a SAML 2.0 assertion or a wsse:Security header")
    return found


def proof_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of a command that is handed a `proof`."""

    def run(
        client_certificate: Path | None,
        client_key: Path | None,
        authorities: Path | None,
        assertion: Path | None,
        timeout: float,
        **given: Any,
    ) -> None:
        if (client_certificate is None) != (authorities is None):
            raise click.UsageError("give --client-certificate and --authorities together")
        context = None
        if client_certificate is not None and authorities is not None:
            context = client_context(client_certificate, client_key, authorities)
        shown = None if assertion is None else read_assertion(assertion)
        command(proof=Proof(context=context, assertion=shown, timeout=timeout), **given)

    decorated: Callable[..., None] = run
    for option in (
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=TIMEOUT_SECONDS,
            show_default=True,
            metavar="SECONDS",
            help="How long a silent server is waited for.",
        ),
        click.option("--assertion", type=_FILE, help="Signed assertion to show, as carnet vihf make writes it."),
        click.option("--authorities", type=_PLACE, help="Whose servers are believed: a PEM file or a folder of them."),
        click.option("--client-key", type=_FILE, help="Its key; default the .key file beside it, or in it."),
        click.option("--client-certificate", type=_FILE, help="Certificate that opens the connection, PEM."),
    ):
        decorated = option(decorated)
    decorated.__doc__, decorated.__name__ = command.__doc__, command.__name__
    for parameter in getattr(command, "__click_params__", []):
        decorated.__click_params__.append(parameter)  # type: ignore[attr-defined]
    return decorated
