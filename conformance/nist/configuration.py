"""What a user may choose for a run, and the system and session it makes of it."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.failures import KitError
from conformance.nist.endpoints import Endpoints, default_addresses
from conformance.nist.identifiers import Allocator
from conformance.nist.kit import Kit
from conformance.nist.known_disagreements import SHIPPED, read_disagreements
from conformance.nist.mllp_client import MllpClient, parse_feed_url
from conformance.nist.patient_feed import Feed, feed_by_command, feed_by_mllp, no_feed
from conformance.nist.schema_check import SchemaCheck, open_schemas
from conformance.nist.session import Session, allocate_patients
from conformance.nist.soap_client import SoapClient, check_reachable, check_url
from conformance.nist.step_checks import Checks
from conformance.nist.step_run import SystemUnderTest
from conformance.nist.xml import BadXml, octets_of, parse
from conformance.sentence import Sentence, reason
from conformance.tls import client_context

DEFAULT_AUTHORITY = "1.3.6.1.4.1.21367.13.20.1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """`addresses` override what `registry` and `repository` stand for. Exactly one way to make patients known."""

    registry: str = ""
    repository: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    repositories: Mapping[str, str] = field(default_factory=dict)
    feed: str = ""
    feed_command: str = ""
    is_without_feed: bool = False
    patients: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""
    home_community_id: str = ""
    schemas: Path | None = None
    left_out_checks: Sequence[str] = ()
    is_strict: bool = False
    disagreements: Sequence[Path] = ()
    has_shipped_disagreements: bool = True
    timeout_seconds: float = 60.0
    tls_authorities: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    soap_header: Path | None = None


def open_system(configuration: Configuration) -> SystemUnderTest:
    """The server to test. Raises KitError for an option that is wrong."""
    tls = _tls(configuration)
    return SystemUnderTest(
        endpoints=_endpoints(configuration),
        soap=SoapClient(timeout_seconds=configuration.timeout_seconds, tls=tls, headers=_headers(configuration)),
        feed=_feed(configuration, tls),
        checks=Checks(
            schemas=_schemas(configuration),
            left_out=frozenset(configuration.left_out_checks),
            is_strict=configuration.is_strict,
        ),
        disagreements=read_disagreements(
            [*([SHIPPED] if configuration.has_shipped_disagreements else []), *configuration.disagreements]
        ),
    )


def open_session(configuration: Configuration, kit: Kit) -> Session:
    """A session with five patient ids of one authority: the given one, or the first of the code table."""
    authority = configuration.authority or next(iter(kit.codes.authorities), DEFAULT_AUTHORITY)
    allocator = Allocator(authority=authority)
    return Session(
        allocator=allocator,
        patients=allocate_patients(allocator, configuration.patients),
        source_id=kit.source_id,
        codes=kit.codes,
        home_community_id=configuration.home_community_id,
    )


def check_server(configuration: Configuration, system: SystemUnderTest) -> None:
    """Somebody listens at every address. Raises UnreachableServer."""
    urls = dict.fromkeys((*system.endpoints.addresses.values(), *system.endpoints.repositories.values()))
    for url in urls:
        check_reachable(url, timeout_seconds=configuration.timeout_seconds, tls=system.soap.tls)
    if configuration.feed:
        _mllp_client(configuration, system.soap.tls).check_reachable()


def _endpoints(configuration: Configuration) -> Endpoints:
    addresses = default_addresses(configuration.registry, configuration.repository) | dict(configuration.addresses)
    if not addresses:
        raise KitError(
            Sentence(
                "aucun serveur à tester : donnez --registry URL, --repository URL, ou les deux",
                "there is no server to test: give --registry URL, --repository URL, or both",
            )
        )
    for url in (*addresses.values(), *configuration.repositories.values()):
        check_url(url)
    return Endpoints(addresses=addresses, repositories=configuration.repositories)


def _feed(configuration: Configuration, tls: ssl.SSLContext) -> Feed:
    ways = [configuration.feed, configuration.feed_command, configuration.is_without_feed]
    if sum(map(bool, ways)) != 1:
        fr, en = "dites comment les patients sont connus, d'une façon", "say how patients become known, in one way"
        forms = "--feed mllp://HOST:PORT, --feed-command COMMAND, --no-feed"
        raise KitError(Sentence(f"{fr} : {forms}", f"{en}: {forms}"))
    if configuration.feed:
        return feed_by_mllp(_mllp_client(configuration, tls))
    return feed_by_command(configuration.feed_command) if configuration.feed_command else no_feed


def _mllp_client(configuration: Configuration, tls: ssl.SSLContext | None) -> MllpClient:
    scheme, host, port = parse_feed_url(configuration.feed)
    return MllpClient(
        host=host, port=port, timeout_seconds=configuration.timeout_seconds, tls=tls if scheme == "mllps" else None
    )


def _schemas(configuration: Configuration) -> SchemaCheck | None:
    if {"schema", "request-schema"} <= set(configuration.left_out_checks):
        return None
    return open_schemas(configuration.schemas)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """For https and mllps: the authorities to trust and our own certificate."""
    return client_context(configuration.tls_authorities, configuration.tls_certificate, configuration.tls_key)


def _headers(configuration: Configuration) -> tuple[bytes, ...]:
    file = configuration.soap_header
    if file is None:
        return ()
    try:
        return (octets_of(parse(file.read_bytes())),)
    except (OSError, BadXml) as problem:
        raise KitError(
            Sentence(
                f"l'en-tête SOAP {file} est inutilisable : {reason(problem).fr}",
                f"the SOAP header {file} cannot be used: {reason(problem)}",
            )
        ) from None
