"""Settings of the server: defaults, then the TOML file, then the environment, then the command line.

Every setting is an option of `carnet serve`, a key of the file and a variable `CARNET_…`; a name
that is not listed here is an error.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from carnet.audit_settings import audit_rules
from carnet.clock import clock_rules
from carnet.elsewhere_settings import elsewhere_rules
from carnet.notice_settings import notice_rules
from carnet.proof_settings import proof_rules
from carnet.record_settings import record_rules
from carnet.roles import ALL_ROLES, Role, read_roles, roles_rules
from carnet.storage_settings import storage_rules
from carnet.traces import trace_rules
from xds.failure import WrongSettings
from xds.identifiers import is_oid, is_oid_urn

ENVIRONMENT_PREFIX = "CARNET_"
UNIX = "unix:"
_AT_LEAST_ONE = (
    *("max_document_mb", "max_message_mb", "max_root_mb", "max_parts", "max_part_header_kb"),
    *("mllp_message_kb", "registry_timeout_seconds"),
    *("audit_retention_years", "notification_attempts", "notification_days"),
    *("queue", "uploads", "connections", "connections_per_client"),
    *("handshake_seconds", "head_seconds", "slow_seconds", "idle_seconds"),
)


class SettingsError(WrongSettings, ValueError):
    """A setting that is unknown, malformed or refused; the text says which and what was expected."""


def _setting(default: Any, meaning: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"meaning": meaning, "choices": choices})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value per setting; empty text means "take the default named in the meaning"."""

    host: str = _setting("127.0.0.1", "address to listen on; unix:PATH for a proxy that hands over client certificates")
    port: int = _setting(8080, "TCP port to listen on; 0 takes a free one")
    data: str = _setting("./carnet-data", "folder of the embedded database and documents")
    database: str = _setting(
        "",
        "URL of the database: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME; "
        "default carnet.sqlite in the data folder",
    )
    replica: str = _setting(
        "",
        "URL of a streaming standby of the PostgreSQL database, which stats, export and audit export read in its "
        "place; default the database itself",
    )
    documents: str = _setting(
        "", "where documents are kept: file:///FOLDER or s3://BUCKET/PREFIX; default documents/ in the data folder"
    )
    documents_former: str = _setting("", "store that documents are moved from; read where documents lacks one")
    s3_endpoint: str = _setting("", "URL of the object store; default that of AWS for the region")
    s3_region: str = _setting("", "region of the bucket; default AWS_REGION, us-east-1 with an endpoint")
    s3_plain_http: bool = _setting(False, "allow an http:// endpoint beyond loopback")
    domain: str = _setting("dmp", "affinity domain: the French DMP, or any other", ("dmp", "ihe"))
    wire: str = _setting(
        "", "tolerance for known sender quirks; default strict for ihe, dmp for dmp", ("strict", "dmp")
    )
    base_url: str = _setting("", "URL under which clients reach the server; default http://HOST:PORT")
    fhir_origins: str = _setting("", "sites whose pages may use /fhir (CORS), https://HOST[:PORT]; default none")
    security: str = _setting("mtls", "how callers prove who they are", ("mtls", "open"))
    certificate: str = _setting("", "certificate of the server, PEM, then its chain; with security mtls")
    key: str = _setting("", "private key of the server, PEM; default the .key file beside the certificate, or in it")
    health: str = _setting(
        "",
        "HOST:PORT, on loopback, that answers /health and /metrics without a client certificate; default: /health as "
        "everything else, /metrics not at all",
    )
    repository_id: str = _setting("", "OID of the repository; default 1.2.250.1.213.4.1.1.1.2 for dmp, 2.25… for ihe")
    check_codes: bool = _setting(True, "refuse codes outside the value sets of the domain")
    home_community_id: str = _setting("", "home community of the registry, urn:oid:OID; default none")
    propagated_memberships: bool = _setting(
        True, "a folder membership carried to a new version is a member of the update's SubmissionSet"
    )
    strict_restricted_update: bool = _setting(False, "ITI-92 may not change hash, size and mimeType either")
    max_document_mb: int = _setting(500, "largest document accepted, in MB of 10^6 octets")
    max_message_mb: int = _setting(
        1100,
        "largest message accepted, in MB; never less than one document and one root part: two documents at most size",
    )
    max_root_mb: int = _setting(8, "largest root part or simple SOAP message, in MB: it is kept in memory")
    max_parts: int = _setting(512, "MIME parts of a message: ten times the documents a submission usually has")
    max_part_header_kb: int = _setting(8, "longest header line of a MIME part, in kB; a part has 16 at most")
    fault_status: int = _setting(
        400,
        "HTTP status of SOAP faults that are the sender's: 400 as SOAP 1.2 binds them, "
        "500 for clients that read a fault only there, such as Apache CXF as it comes",
        ("400", "500"),
    )
    on_demand_snapshots: bool = _setting(
        False, "keep each on-demand document that is retrieved, as a stable document that can be retrieved again"
    )
    codes: str = _setting(
        "", "codes and assigning authorities of the domain ihe, a file as the NIST XDS test kit has it (codes.xml)"
    )
    limited_metadata: bool = _setting(False, "accept limited metadata at /xds/recipient (XDR)")
    derived_content_type: str = _setting(
        "",
        "contentTypeCode of submissions that are derived from one document (ITI-105, ITI-106), as CODE^^SCHEME; "
        "default the classCode of the document",
    )
    mllp: str = _setting("", "HOST:PORT of the patient identity feed, port 0 takes a free one; default no feed")
    mllp_certificate: str = _setting("", "certificate of the feed's server, PEM, then its chain; makes the feed TLS")
    mllp_key: str = _setting("", "private key of the feed's server, PEM; default in the file of the certificate")
    mllp_trust: str = _setting("", "certificates, PEM, of those that issue clients of the feed; their lists (CRL) too")
    mllp_clients: str = _setting(
        "", "client certificates that may feed: SHA-256 fingerprints or subjects (CN=…,O=…), separated by semicolons"
    )
    mllp_senders: str = _setting("", "senders that may feed, as MSH-3|MSH-4, separated by semicolons; default any")
    mllp_connections: int = _setting(50, "connections of the feed at once")
    mllp_message_kb: int = _setting(
        1000, "largest message of the feed, in kB: an ADT message has a few, one with a portrait some hundred"
    )
    mllp_idle_seconds: int = _setting(600, "seconds after which a silent connection of the feed is closed")
    feed_authority: str = _setting(
        "", "OID of identifiers that a feed sends without assigning authority; default the only one of the domain"
    )
    roles: str = _setting(ALL_ROLES, "actors of this process, separated by commas")
    registry_url: str = _setting("", "URL of the registry, for a repository in a process of its own")
    repositories: str = _setting(
        "",
        "repositories in other processes whose documents the FHIR door delivers: OID=URL, separated by blanks; "
        "default none",
    )
    internal_secret_file: str = _setting(
        "",
        "file with the secret that registry and repository share when they run apart on one machine without TLS; "
        "readable by its owner alone",
    )
    internal_certificate: str = _setting(
        "", "client certificate that this process shows the others of its record over TLS, PEM, then its chain"
    )
    internal_key: str = _setting("", "its private key, PEM; default the .key file beside it, or in it")
    internal_clients: str = _setting(
        "",
        "client certificates of the other processes of this record: SHA-256 fingerprints or subjects (CN=…,O=…), "
        "separated by semicolons",
    )
    registry_timeout_seconds: int = _setting(30, "seconds of silence after which a registry elsewhere is given up")
    trust: str = _setting(
        "", "folder of certificate authorities (PEM or DER) and revocation lists (.crl) that callers are checked with"
    )
    crl: str = _setting("", "folder of more revocation lists (.crl); default those in trust alone")
    vihf_versions: str = _setting("2.0,3.0,4.0", "versions of the VIHF that are taken, separated by commas")
    vihf_life_seconds: int = _setting(300, "validity of a VIHF from its IssueInstant where it says no end")
    sha1_anchors: str = _setting(
        "", "SHA-256 fingerprints of root certificates under which a VIHF may be signed with SHA-1, for a migration"
    )
    patient_portals: str = _setting(
        "", "structures (Struct_IdNat) whose seal may speak for patients and representatives (role EXP_PATIENT)"
    )
    xua: str = _setting("", "TOML file of the identity providers whose XUA assertions are taken; default none")
    audiences: str = _setting(
        "", "what an AudienceRestriction may name, separated by spaces; the server's own URLs always may be"
    )
    clock_skew_seconds: int = _setting(60, "difference of clocks that is tolerated in assertions")
    assertion_hours: int = _setting(24, "longest validity of an assertion")
    assertion_reuse: str = _setting(
        "client",
        "whether the same client certificate may use an assertion again inside its validity",
        ("client", "never"),
    )
    token_issuers: str = _setting(
        "", "TOML file of the authorisation servers whose tokens (JWT) FHIR takes; default none: assertions alone"
    )
    scope_refusal: str = _setting(
        "401", "HTTP status for a token without the scope: 401 as IUA has it, 403 as OAuth 2 has it", ("401", "403")
    )
    cda_agreement: str = _setting(
        "",
        "a CDA document whose metadata are not those of its header; default warn in the domain dmp, else ignore",
        ("refuse", "warn", "ignore"),
    )
    cda_validity: str = _setting(
        "",
        "a document that is no CDA though text/xml, or breaks a rule; default warn in the domain dmp, else ignore",
        ("refuse", "warn", "ignore"),
    )
    submission_signature: str = _setting(
        "optional",
        "signature of a submission (DSG): demanded, verified where there is one, or ignored; ignored without trust",
        ("required", "optional", "ignored"),
    )
    policy_matrix: str = _setting("", "CSV of the habilitation matrix, with its version; default that of 25/09/2024")
    policy_rights: str = _setting("", "CSV of the functional rights, with its version; default PDT-INF-526 and -606")
    policy_occupational_reading: bool = _setting(
        False, "occupational doctors read with the express consent of the holder (CSP L.1111-17 IV)"
    )
    policy_pharmacy_reading: bool = _setting(
        False, "holders of a CPE in a pharmacy read what its pharmacist may, in their own name"
    )
    air_structures: str = _setting(
        "any",
        "structures that enhanced indirect authentication (AIR) is for; directory: those enabled in it",
        ("any", "directory"),
    )
    other_patient_error: str = _setting(
        "XDSRegistryError",
        "code for a query or submission about another patient than its assertion: ITI TF-2: 3.40 has the first, "
        "DMP 6.5 the second",
        ("XDSRegistryError", "XDSPatientIdDoesNotMatch"),
    )
    clock: str = _setting(
        "",
        "time that the server takes for now, for tests: YYYYMMDDhhmmss in UTC, or @FILE that holds it and is read each "
        "time; with security open on loopback alone",
    )
    record_regime: str = _setting(
        "opt_out", "how records are opened: with consent, or by themselves without opposition", ("opt_in", "opt_out")
    )
    information_weeks: int = _setting(6, "weeks between the information of a person and the opening of the record")
    suspension_weeks: int = _setting(6, "weeks after which a suspended record closes without objection")
    retention_years: int = _setting(10, "years after which a closed record is erased")
    early_erasure_months: int = _setting(3, "months after which it is erased when its holder asks for that")
    authorisation_months: int = _setting(12, "months that the authorisation of a professional is valid")
    announcement_days: int = _setting(
        14,
        "days after which somebody is told that a document hidden from its patient still waits; the 2020 deck has 15",
    )
    announcement_target: str = _setting(
        "patient", "who is told; the 2020 deck has the treating doctor, at once", ("patient", "treating_doctor")
    )
    visible_after_months: int = _setting(1, "months after which that document opens by itself")
    visible_after_days: int = _setting(0, "days beside those months; the 2020 deck has 21 and no month")
    journal_days: int = _setting(365, "days that the journal of accesses goes back")
    journal_lines: int = _setting(100, "lines that it has where those days have fewer")
    majority_age: int = _setting(18, "age at which representatives act no longer")
    records_by_software: bool = _setting(True, "TD1.1 opens records, beside automatic opening")
    attached_records_change: bool = _setting(
        False,
        "TD1.2, TD1.3b, TD1.4 and TD1.5 are also for records that Mon espace santé reaches; PDT-INF-526 keeps them for "
        "others",
    )
    paths: str = _setting(
        "",
        "further paths of the SOAP doors, PATH=DOOR separated by blanks, such as /services/registry=registry; the "
        "domain dmp has those of the DMP besides",
    )
    notices: str = _setting(
        "",
        "where notices to persons go: smtp://[USER@]HOST[:PORT] (STARTTLS), smtps://…, the https:// URL of a service "
        "that takes JSON, or file:///FILE for tests; default they wait",
    )
    notices_from: str = _setting("", "e-mail address that notices come from")
    notices_doctor_address: str = _setting(
        "", "MSSanté address of a médecin traitant, {id} standing for the PS_IdNat; default none by mail"
    )
    notices_secret_file: str = _setting("", "file with the password of the mail server, or the bearer token")
    jobs_minutes: int = _setting(15, "minutes between two runs of the jobs of a server; 0: `carnet jobs run` does them")
    directory: str = _setting(
        "ignore",
        "a caller whom the directory does not know: structure, professional, software",
        ("refuse", "warn", "ignore"),
    )
    notification_targets: str = _setting(
        "",
        "addresses that subscribers of documents may have notifications sent to, each to the letter, separated by "
        "blanks; default none: there are no subscriptions",
    )
    notification_attempts: int = _setting(20, "attempts after which a notification is a dead letter: about half a day")
    notification_days: int = _setting(
        90, "days for which it is kept what subscribers were told, and subscriptions that ended"
    )
    notification_certificate: str = _setting("", "client certificate for those addresses, PEM, then its chain")
    notification_key: str = _setting("", "its private key, PEM; default in the file of the certificate")
    notification_trust: str = _setting("", "certificates, PEM, of those that issue theirs; default the system's")
    audit: str = _setting(
        "", "record who did what; off is for --security open alone, where it is the default", ("on", "off")
    )
    audit_source: str = _setting("", "name of this node in audit records; default the name of the host")
    audit_site: str = _setting("", "OID of the site in audit records; default none")
    audit_syslog: str = _setting(
        "", "HOST:PORT of audit record repositories that take syslog over TLS, separated by commas; default none"
    )
    audit_fhir: str = _setting("", "FHIR bases that take AuditEvents, separated by blanks; default none")
    audit_certificate: str = _setting("", "client certificate for audit receivers, PEM, then its chain")
    audit_key: str = _setting("", "private key of that certificate, PEM; default in the file of the certificate")
    audit_trust: str = _setting("", "certificates, PEM, of those that issue the receivers' ones; default the system's")
    audit_signing_certificate: str = _setting(
        "", "certificate whose key signs anchors and purges of the audit, PEM; default the certificate of the server"
    )
    audit_signing_key: str = _setting(
        "", "its private key, PEM; default the .key file beside the certificate, or in it"
    )
    audit_retention_years: int = _setting(
        20, "years that audit records are kept at least; in the domain dmp, after the record of their person was closed"
    )
    audit_spool_mb: int = _setting(10_000, "MB of records that may wait for a receiver; 0 for no limit")
    audit_full: str = _setting(
        "refuse", "what happens when that many wait: nothing is served, or all is", ("refuse", "serve")
    )
    audit_reserve_mb: int = _setting(256, "MB kept on the disk of SQLite for audit records when it is full; 0 for none")
    traces: str = _setting(
        "",
        "URL of a collector that takes traces by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; default none",
    )
    workers: int = _setting(1, "server processes; only one with SQLite")
    scrub_mb_per_s: int = _setting(0, "MB read per second to check stored documents in the background; 0 checks none")
    threads: int = _setting(4, "requests answered at once by a process; 2 where all is on one machine")
    queue: int = _setting(200, "requests that wait for their turn in a process; one more is answered 503 at once")
    queue_milliseconds: int = _setting(
        350,
        "milliseconds that a request may have to wait for its turn: one that would wait longer, by how many wait and "
        "what requests took lately, is answered 503 at once; 0 is no limit",
    )
    uploads: int = _setting(
        500, "requests in a process whose client is slower than the server, beside those answered or waiting"
    )
    connections: int = _setting(
        2000, "connections of a process; one more closes the one that waits nearest to its deadline"
    )
    connections_per_client: int = _setting(
        500, "connections of one address (IPv6: of one /64), and of one client certificate, to a process"
    )
    requests_per_second: int = _setting(
        1000, "requests a second, in each process, from one client certificate; one more is answered 429; 0 is no limit"
    )
    handshake_seconds: int = _setting(10, "time for a TLS handshake")
    head_seconds: int = _setting(10, "time for the request line and the headers of a request")
    slow_seconds: int = _setting(
        30, "waiting for a client, to send a body or to take an answer, after which it must have moved 1 kB a second"
    )
    idle_seconds: int = _setting(60, "time that a connection stays open without a request")

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{Path(self.data).absolute() / 'carnet.sqlite'}"

    @property
    def sqlite_file(self) -> Path:
        """The file of an SQLite database."""
        return Path(make_url(self.database_url).database or "")

    @property
    def data_folder(self) -> Path:
        return Path(self.data)

    @property
    def documents_url(self) -> str:
        return self.documents or (Path(self.data).absolute() / "documents").as_uri()

    @property
    def address(self) -> str:
        """HOST:PORT, an IPv6 host in brackets, or unix:PATH."""
        if self.is_behind_proxy:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def public_url(self) -> str:
        scheme = "http" if self.security == "open" else "https"
        return (self.base_url or f"{scheme}://{self.address}").rstrip("/")

    @property
    def is_behind_proxy(self) -> bool:
        """Whether a proxy on this machine ends TLS and talks over a unix socket."""
        return self.host.startswith(UNIX)

    @property
    def has_tls(self) -> bool:
        """Whether the server itself shakes hands."""
        return self.security == "mtls" and not self.is_behind_proxy

    @property
    def played(self) -> frozenset[Role]:
        """The roles of this process."""
        return read_roles(self.roles)

    def role_missing(self, role: Role) -> str:
        """What a client is told at a door that this process does not open."""
        return f"this process does not have the role {role}; it has {', '.join(sorted(self.played))}"

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite:")


def load(given: Mapping[str, Any], *, config: str | None = None) -> Settings:
    """Settings from all sources, checked. `given` holds command line options, None for those not given.

    Raises SettingsError.
    """
    values = _from_file(config) | _from_environment() | {k: v for k, v in given.items() if v is not None}
    settings = replace(Settings(), **{name: _typed(name, value) for name, value in values.items()})
    _check(settings)
    return settings


def names() -> tuple[str, ...]:
    return tuple(one.name for one in fields(Settings))


def _from_file(config: str | None) -> dict[str, Any]:
    path = config or os.environ.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    if not path:
        return {}
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"settings file {path}: {problem.strerror}") from problem
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingsError(f"settings file {path}: {problem}") from problem
    return {_known(key.replace("-", "_"), f"settings file {path}"): value for key, value in found.items()}


def _from_environment() -> dict[str, Any]:
    found = {k: v for k, v in os.environ.items() if k.startswith(ENVIRONMENT_PREFIX) and k != "CARNET_CONFIG"}
    return {_known(k.removeprefix(ENVIRONMENT_PREFIX).lower(), "environment"): v for k, v in found.items()}


def _known(name: str, where: str) -> str:
    if name not in names():
        raise SettingsError(f"{where}: unknown setting {name}; known are {', '.join(names())}")
    return name


def _typed(name: str, value: Any) -> Any:
    default = getattr(Settings(), name)
    if isinstance(value, dict) and default == "":
        value = " ".join(f"{key}={one}" for key, one in value.items())  # a table of a settings file, such as [paths]
    if isinstance(default, bool):
        return _boolean(name, value)
    if isinstance(default, int):
        return _whole_number(name, value)
    if not isinstance(value, str):
        raise SettingsError(f"setting {name}: found {value!r}, expected text")
    return value


def _whole_number(name: str, value: Any) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise SettingsError(f"setting {name}: found {value!r}, expected a whole number")
    return int(text)


def _boolean(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "false", "1", "0", "yes", "no"):
        raise SettingsError(f"setting {name}: found {value!r}, expected true or false")
    return word in ("true", "1", "yes")


def _check(settings: Settings) -> None:
    for one in fields(settings):
        choices, value = one.metadata["choices"], getattr(settings, one.name)
        if choices and value != "" and str(value) not in choices:
            raise SettingsError(f"setting {one.name}: found {value!r}, expected {' or '.join(choices)}")
    for name in _AT_LEAST_ONE:
        if getattr(settings, name) < 1:
            raise SettingsError(f"setting {name}: found {getattr(settings, name)}, expected at least 1")
    if settings.workers < 1 or settings.threads < 1 or settings.max_document_mb < 1 or not 0 <= settings.port < 65536:
        raise SettingsError("settings workers, threads, max_document_mb: expected at least 1; port: 0 to 65535")
    if settings.home_community_id and not is_oid_urn(settings.home_community_id):
        raise SettingsError(f"setting home_community_id: found {settings.home_community_id!r}, expected urn:oid:OID")
    for name in ("repository_id", "feed_authority"):
        value = getattr(settings, name)
        if value and not is_oid(value):
            raise SettingsError(f"setting {name}: found {value!r}, expected an OID")
    if settings.codes and settings.domain != "ihe":
        raise SettingsError(f"setting codes: the domain {settings.domain} has its own codes, expected --domain ihe")
    _check_roles(settings)
    for sentence in (
        *proof_rules(settings),
        *storage_rules(settings),
        *audit_rules(settings),
        *record_rules(settings),
        *notice_rules(settings),
        *clock_rules(settings.clock),
        *trace_rules(settings),
    ):
        raise SettingsError(sentence)


def _check_roles(settings: Settings) -> None:
    try:
        roles = settings.played
    except ValueError as problem:
        raise SettingsError(f"setting roles: {problem}") from None
    given = [one.name for one in fields(settings) if getattr(settings, one.name) != one.default]
    of_roles = roles_rules(roles, registry_url=settings.registry_url, given=given)
    for sentence in (*of_roles, *elsewhere_rules(settings)):
        raise SettingsError(sentence)
