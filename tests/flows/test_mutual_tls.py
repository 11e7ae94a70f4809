"""Who gets a connection at all: certificates and protocols. Rows T01, T02, M17 and M19 of the attack matrix."""

import contextlib
import ssl
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from audit.dicom import read_message
from audit.record import Record
from carnet.command_line import main
from carnet.pki import Credential, Use, issue_server, make_igc, revocation_list
from carnet.pki_folder import revoke, write_credentials
from carnet.tls import SUITES, read_tls
from tests import messages, mutual_tls, servers, sts
from tests.audit_store import rows_of
from tests.mutual_tls import LIVE, NOW, Pki, a_query, answer_to, octets_for, request, secured
from tests.servers import Server


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return mutual_tls.a_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with mutual_tls.started(pki, tmp_path_factory.mktemp("tls")) as running:
        servers.know_patients(running.settings)
        yield running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_card_gets_in_by_tls_1_2_and_1_3(server: Server, pki: Pki, version: ssl.TLSVersion) -> None:
    context = pki.context(pki.client, minimum_version=version, maximum_version=version)
    assert octets_for(server, context, LIVE).startswith(b"HTTP/1.1 200 OK\r\n")


def built(
    pki: Pki, use: ssl.Purpose | None = None, *, key: rsa.RSAPrivateKey | None = None, **changes: object
) -> Credential:
    """A client certificate made by hand, for what `issue` does not make."""
    issuer, good = pki.igc.persons, pki.a_client()
    key = key or good.key
    builder = (
        x509.CertificateBuilder(
            subject_name=good.certificate.subject,
            issuer_name=issuer.certificate.subject,
            public_key=key.public_key(),
        )
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in good.certificate.extensions:
        if extension.oid not in changes.get("without", ()):  # type: ignore[operator]
            builder = builder.add_extension(extension.value, extension.critical)
    for one in changes.get("more", ()):  # type: ignore[attr-defined]
        builder = builder.add_extension(one, critical=False)
    return Credential(certificate=builder.sign(issuer.key, changes.get("digest", hashes.SHA256())), key=key)  # type: ignore[arg-type]


def under(pki: Pki, depth: int) -> tuple[Credential, list[x509.Certificate]]:
    """A client under a chain of that many authorities of its own, the first one issued by the persons' authority."""
    issuer, chain = pki.igc.persons, [pki.igc.persons.certificate]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for number in range(depth):
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"AC {number}")])
        builder = x509.CertificateBuilder(
            subject_name=name, issuer_name=issuer.certificate.subject, public_key=key.public_key()
        )
        builder = builder.serial_number(number + 1).not_valid_before(NOW - timedelta(hours=1))
        builder = builder.not_valid_after(NOW + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        issuer = Credential(certificate=builder.sign(issuer.key, hashes.SHA256()), key=key)
        chain.insert(0, issuer.certificate)
    return pki.a_client(authority=issuer), chain


def revoked(pki: Pki) -> Credential:
    gone = pki.a_client()
    revoke(pki.folder, gone.certificate, now=NOW)
    return gone


def weak(_pki: Pki) -> rsa.RSAPrivateKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def signed_with_sha1(pki: Pki) -> Credential:
    """By the command, since the library makes none."""
    good, folder = pki.a_client(), pki.folder
    builder = x509.CertificateSigningRequestBuilder(good.certificate.subject)
    (folder / "sha1.csr").write_bytes(builder.sign(good.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "sha1.ext").write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    command = ["openssl", "x509", "-req", "-sha1", "-in", "sha1.csr", "-extfile", "sha1.ext", "-days", "1"]
    command += ["-CA", "trust/persons.pem", "-CAkey", "authorities/persons.key", "-set_serial", "4711"]
    made = subprocess.run(command, cwd=folder, capture_output=True, timeout=20, check=True)
    certificate = x509.load_pem_x509_certificate(made.stdout)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA1)
    return Credential(certificate=certificate, key=good.key)


CLIENTS: dict[str, Callable[[Pki], tuple[Credential, list[x509.Certificate]]]] = {
    "expired": lambda pki: (pki.a_client(now=NOW - timedelta(days=3), days=1), []),
    "future": lambda pki: (pki.a_client(now=NOW + timedelta(days=2)), []),
    "unknown authority": lambda pki: (pki.a_client(authority=make_igc(now=NOW - timedelta(days=1)).persons), []),
    "revoked": lambda pki: (revoked(pki), []),
    "server certificate": lambda pki: (pki.a_client(use=Use.SERVER), []),
    "signature certificate of a card": lambda pki: (pki.card[Use.SIGNATURE], []),
    "seal of a structure": lambda pki: (pki.clinic[Use.SEAL], []),
    "no extended usage": lambda pki: (built(pki, without=(x509.OID_EXTENDED_KEY_USAGE,)), []),
    "no digitalSignature": lambda pki: (
        built(
            pki,
            without=(x509.OID_KEY_USAGE,),
            more=(x509.KeyUsage(False, False, True, False, False, False, False, False, False),),
        ),
        [],
    ),
    "SHA-1": lambda pki: (signed_with_sha1(pki), []),
    "RSA 1024": lambda pki: (built(pki, key=weak(pki)), []),
    "path length exceeded": lambda pki: under(pki, 1),
    "100 authorities": lambda pki: under(pki, 100),
    "self signed": lambda pki: (pki.a_client(authority=pki.a_client()), []),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", CLIENTS)
def test_t01_a_client_certificate_that_does_not_do_gets_no_octet(
    server: Server, pki: Pki, kind: str, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    credential, chain = CLIENTS[kind](pki)
    file = tmp_path / "client.pem"
    followers = [Credential(certificate=one, key=credential.key).certificate_pem for one in chain]
    file.write_bytes(credential.key_pem + credential.certificate_pem + b"".join(followers))
    context = pki.context(None, minimum_version=version, maximum_version=version)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_cert_chain(file)
    if kind == "revoked":
        mutual_tls.eventually(lambda: answer_to(server, context) == b"")
    assert answer_to(server, context) == b""
    assert answer_to(server, pki.context(pki.client)).startswith(b"HTTP/1.1 200 ")


def constrained(pki: Pki, organisation: str) -> Credential:
    """An authority in the folder of trust that may issue for one organisation alone. RFC 5280: 4.2.1.10"""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"AC {organisation}")])
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    permitted = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organisation),
        ]
    )
    builder = x509.CertificateBuilder(
        subject_name=name, issuer_name=pki.igc.root.certificate.subject, public_key=key.public_key()
    )
    builder = builder.serial_number(4712).not_valid_before(NOW - timedelta(days=1))
    builder = builder.not_valid_after(NOW + timedelta(days=1))
    for extension in pki.igc.persons.certificate.extensions:
        if extension.oid != x509.OID_SUBJECT_KEY_IDENTIFIER:
            builder = builder.add_extension(extension.value, extension.critical)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    limits = x509.NameConstraints(permitted_subtrees=[x509.DirectoryName(permitted)], excluded_subtrees=None)
    builder = builder.add_extension(identifier, critical=False).add_extension(limits, critical=True)
    authority = Credential(certificate=builder.sign(pki.igc.root.key, hashes.SHA256()), key=key)
    (pki.trust / "constrained.pem").write_bytes(authority.certificate_pem)
    octets = revocation_list(authority, (), now=NOW - timedelta(hours=1)).public_bytes(Encoding.PEM)
    (pki.trust / "constrained.crl").write_bytes(octets)
    return authority


def test_t01_name_constraints_bind_openssl(tmp_path: Path) -> None:
    """The card says O=CARNET TEST. What OpenSSL would let pass, its own authority, is the control."""
    for organisation, passes in (("CARNET TEST", True), ("AUTRE", False)):
        pki = mutual_tls.a_pki(tmp_path / organisation)
        client = pki.a_client(authority=constrained(pki, organisation))
        settings = servers.settings_for(tmp_path, security="mtls", certificate=str(pki.server), trust=str(pki.trust))
        told = in_memory(read_tls(settings).context, pki.context(pki.written(client)))
        assert (told == "") is passes, told


def in_memory(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """A handshake without a network: why the server refused, or nothing."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            theirs.do_handshake()
        try:
            ours.do_handshake()
            return ""
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as problem:
            return str(problem)
    return "no end"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_t01_without_a_certificate_not_an_octet(server: Server, pki: Pki, version: ssl.TLSVersion) -> None:
    context = pki.context(None, minimum_version=version, maximum_version=version)
    assert answer_to(server, context) == b""
    assert "handshake refused" in server.log_with("peer did not return a certificate")


def test_t01_refused_handshakes_are_on_record_once_and_counted(pki: Pki, tmp_path: Path) -> None:
    """One record at once, one more at the end with how often; a connection that merely goes away has none."""
    with mutual_tls.started(pki, tmp_path / "data") as server:
        strange = Credential(certificate=sts.other_igc().root.certificate, key=sts.other_igc().root.key)
        context = pki.context(pki.written(strange))
        for _ in range(5):
            assert answer_to(server, context) == b""
        mutual_tls.connected(server).close()
        mutual_tls.eventually(lambda: len(refused_nodes(server)) == 1)
    first, last = refused_nodes(server)
    assert (first.event_id.code, [one.code for one in first.type_codes], int(first.outcome)) == (
        "110113",
        ["110126"],
        8,
    )
    assert last.description == f"{first.description}; 4 more times"
    assert [(one.network, one.roles[0].code) for one in first.participants if one.roles] == [("127.0.0.1", "110182")]


def refused_nodes(server: Server) -> list[Record]:
    records = [
        read_message(one.message) for one in rows_of(server.settings.database_url) if one.event == "node refused"
    ]
    return [one for one in records if "handshake in time" not in one.description]


def openssl(server: Server, pki: Pki, *options: str, typed: bytes = b"") -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.settings.port}", "-cert", str(pki.client)]
    command += ["-key", str(pki.client), "-CAfile", str(pki.trust / "root.pem"), *options]
    found = subprocess.run(command, input=typed, capture_output=True, timeout=20, check=False)
    return (found.stdout + found.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_t02_older_protocols_are_refused(server: Server, pki: Pki, version: str) -> None:
    told = openssl(server, pki, version, "-cipher", "ALL:@SECLEVEL=0", "-servername", "localhost")
    assert "alert protocol version" in told, told


def test_t02_a_scan_finds_the_suites_of_the_dmp_and_no_others(server: Server, pki: Pki) -> None:
    """Every suite that OpenSSL has is offered alone, weak ones too; what the server takes is what the page says."""
    listed = subprocess.run(["openssl", "ciphers", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, check=True)
    suites = {one for one in listed.stdout.decode().strip().split(":") if not one.startswith("TLS_")}
    assert len(suites) > 50
    with ThreadPoolExecutor(4) as pool:
        taken = set(pool.map(lambda suite: taken_of(server, pki, suite), suites)) - {""}
    assert taken == set(SUITES)
    assert "TLS_AES_256_GCM_SHA384" in openssl(server, pki, "-tls1_3", "-servername", "localhost")


def taken_of(server: Server, pki: Pki, suite: str) -> str:
    """The suite, when a handshake by it alone comes to its end; else nothing."""
    told = openssl(server, pki, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-servername", "localhost")
    return suite if f"Cipher is {suite}\n" in told else ""


@pytest.mark.parametrize(
    "suite",
    [
        *("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256"),
        *("DHE-RSA-AES256-GCM-SHA384", "AECDH-AES256-SHA", "ECDHE-RSA-NULL-SHA", "PSK-AES256-GCM-SHA384"),
        *("ECDHE-RSA-CAMELLIA256-SHA384", "ECDHE-ARIA256-GCM-SHA384"),
    ],
)
def test_t02_other_suites_are_refused(server: Server, pki: Pki, suite: str) -> None:
    told = openssl(server, pki, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-servername", "localhost")
    assert "handshake failure" in told or "no ciphers available" in told, told


@pytest.mark.parametrize(
    "suite",
    [
        *("ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"),
        "ECDHE-RSA-CHACHA20-POLY1305",
    ],
)
def test_the_suites_of_the_dmp_are_taken(server: Server, pki: Pki, suite: str) -> None:
    context = pki.context(pki.client, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite)
    with secured(server, context) as connection:
        assert connection.cipher()[0] == suite  # type: ignore[index]


def test_t02_renegotiation_and_compression_are_refused(server: Server, pki: Pki) -> None:
    told = openssl(server, pki, "-tls1_2", "-servername", "localhost", typed=b"R\n")
    assert "RENEGOTIATING" in told
    assert "no renegotiation" in told, told
    assert "Compression: NONE" in told


def test_t02_no_ticket_is_given_and_no_early_data_taken(server: Server, pki: Pki) -> None:
    told = openssl(server, pki, "-tls1_3", "-servername", "localhost", typed=LIVE)
    assert "HTTP/1.1 200" in told or "New, TLSv1.3" in told
    assert "Post-Handshake New Session Ticket" not in told
    assert "Max Early Data: " not in told


def test_t02_a_session_of_a_revoked_certificate_is_not_resumed(pki: Pki, tmp_path: Path) -> None:
    gone = pki.a_client()
    context = pki.context(pki.written(gone), maximum_version=ssl.TLSVersion.TLSv1_2)
    with mutual_tls.started(pki, tmp_path) as own:
        with secured(own, context) as connection:
            connection.sendall(LIVE)
            assert mutual_tls.read_all(connection).startswith(b"HTTP/1.1 200 ")
            session = connection.session
        revoke(pki.folder, gone.certificate, now=NOW)

        def is_refused() -> bool:
            plain = mutual_tls.connected(own)
            with contextlib.closing(plain), contextlib.suppress(ssl.SSLError, OSError):
                again = context.wrap_socket(plain, server_hostname="localhost", session=session)
                with contextlib.closing(again):
                    again.sendall(LIVE)
                    return mutual_tls.read_all(again) == b""
            return True

        mutual_tls.eventually(is_refused)


def test_t02_another_name_than_the_certificates_is_refused(server: Server, pki: Pki) -> None:
    context = pki.context(pki.client, check_hostname=False)
    assert answer_to(server, context, "autre.example") == b""
    assert answer_to(server, context, "localhost").startswith(b"HTTP/1.1 200 ")


def test_m17_http_2_is_not_offered(server: Server, pki: Pki) -> None:
    context = pki.context(pki.client)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with secured(server, context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    assert octets_for(server, pki.context(pki.client), preface).startswith(b"HTTP/1.1 400 ")


def test_plain_http_gets_no_octet_of_http(server: Server) -> None:
    with mutual_tls.connected(server) as connection:
        connection.sendall(LIVE)
        assert b"HTTP" not in mutual_tls.read_all(connection)


def test_the_certificate_of_the_connection_proves_the_caller(server: Server, pki: Pki) -> None:
    message, headers = a_query(pki)
    answer = request(server, pki.context(pki.client), "POST", "/xds/registry", message, headers)
    assert messages.read(answer).status == "Success"
    other = pki.written(mutual_tls.issue_card(pki.igc, sts.NURSE, now=NOW)[Use.AUTHENTICATION])
    message, headers = a_query(pki)
    refused = messages.read(request(server, pki.context(other), "POST", "/xds/registry", message, headers))
    assert refused.fault == ["env:Sender", "s:FailedAuthentication"]


@pytest.mark.parametrize(
    "name",
    [
        *("X-Client-Certificate", "X-SSL-Client-Cert", "X-Client-DN", "SSL_CLIENT_S_DN", "X-Forwarded-Client-Cert"),
        *("Forwarded", "X-Client_Certificate"),
    ],
)
def test_m19_a_certificate_in_a_header_means_nothing_on_a_tcp_port(server: Server, pki: Pki, name: str) -> None:
    """The nurse's own connection, the doctor's certificate in a header, the doctor's assertion."""
    nurse = pki.written(mutual_tls.issue_card(pki.igc, sts.NURSE, now=NOW)[Use.AUTHENTICATION])
    message, headers = a_query(pki)
    headers[name] = quote(pki.card[Use.AUTHENTICATION].certificate_pem.decode())
    answered = messages.read(request(server, pki.context(nurse), "POST", "/xds/registry", message, headers))
    assert answered.fault == ["env:Sender", "s:FailedAuthentication"]


def test_only_health_is_served_without_a_certificate(server: Server) -> None:
    health = replace(server, settings=replace(server.settings, port=int(server.settings.health.rpartition(":")[2])))
    assert health.request("GET", "/health/ready").status == 200
    assert b"carnet_ready{" in health.request("GET", "/metrics").body
    for path in ("/fhir/metadata", "/xds/registry?wsdl", "/", "/health/../fhir/metadata"):
        assert health.request("GET", path).status == 404
    assert health.post("/xds/registry", b"<x/>", messages.simple_type()).status == 404


def test_changed_files_are_taken_without_a_restart(pki: Pki, tmp_path: Path) -> None:
    own = mutual_tls.a_pki(tmp_path / "pki")
    with mutual_tls.started(own, tmp_path / "data") as server:
        kept = secured(server, own.context(own.client))
        before = kept.getpeercert(binary_form=True)
        (own.trust / "persons.crl").write_bytes(b"half a list")
        log = Path(server.settings.data) / "server.log"

        def is_told() -> bool:
            assert answer_to(server, own.context(own.client)).startswith(b"HTTP/1.1 200 ")
            return "changed files not taken" in log.read_text()

        mutual_tls.eventually(is_told)
        issue_list(own)
        renewed = issue_server(own.igc, ("localhost", "127.0.0.1"), now=NOW)
        write_credentials(own.folder, "server", {Use.SERVER: renewed})

        def has_changed() -> bool:
            with contextlib.suppress(OSError), secured(server, own.context(own.client)) as connection:
                return connection.getpeercert(binary_form=True) == renewed.der != before
            return False

        mutual_tls.eventually(has_changed)
        kept.sendall(LIVE)
        assert mutual_tls.read_all(kept).startswith(b"HTTP/1.1 200 ")
        kept.close()


def issue_list(pki: Pki) -> None:
    octets = revocation_list(pki.igc.persons, (), now=NOW).public_bytes(Encoding.PEM)
    (pki.trust / "persons.crl").write_bytes(octets)


def test_a_revoked_certificate_gets_nothing_on_a_connection_that_is_open(pki: Pki, tmp_path: Path) -> None:
    own = mutual_tls.a_pki(tmp_path / "pki")
    with mutual_tls.started(own, tmp_path / "data") as server:
        servers.know_patients(server.settings)
        context = own.context(own.client)
        with contextlib.closing(
            mutual_tls.http.client.HTTPSConnection("localhost", server.settings.port, context=context)
        ) as kept:

            def status() -> int:
                message, headers = a_query(own)
                kept.request("POST", "/xds/registry", message, headers)
                answer = kept.getresponse()
                answer.read()
                return answer.status

            assert status() == 200
            revoke(own.folder, own.card[Use.AUTHENTICATION].certificate, now=NOW)
            mutual_tls.eventually(lambda: status() == 400)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--security mtls needs --certificate and --trust"),
        (("--certificate", "PKI/issued/server-server.pem"), "--security mtls needs --trust"),
        (("--certificate", "PKI/issued/nothing.pem", "--trust", "PKI/trust"), "nothing.pem"),
        (("--certificate", "PKI/issued/server-server.pem", "--trust", "PKI/issued"), "holds no root certificate"),
        (("--certificate", "PKI/issued/server-server.pem", "--trust", "PKI/trust", "--crl", "PKI/no"), "setting crl"),
        (
            ("--certificate", "PKI/issued/server-server.pem", "--trust", "PKI/trust", "--health", "0.0.0.0:8081"),
            "setting health",
        ),
        (("--host", "unix:/tmp/x.sock", "--trust", "PKI/trust"), "needs --base-url"),
        (("--security", "open", "--host", "0.0.0.0"), "refused on 0.0.0.0"),
    ],
)
def test_settings_that_leave_a_door_open_are_refused_in_one_sentence(
    pki: Pki,
    tmp_path: Path,
    options: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["carnet", "serve", "--port", str(servers.free_port()), "--data", str(tmp_path)]
    command += [one.replace("PKI", str(pki.folder)) for one in options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert (ended.value.code, told.count("\n")) == (2, 1), told
    assert words in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--xua", "PKI/trust/root.pem"), "setting xua"),
        (("--sha1-anchors", "zz"), "setting sha1_anchors"),
        (("--token-issuers", "PKI/none.toml"), "setting token_issuers"),
        (("--fhir-origins", "*"), "setting fhir_origins"),
        (("--paths", "x"), "setting paths"),
    ],
)
def test_rules_that_cannot_be_read_are_told_in_one_sentence_before_a_port_is_opened(
    pki: Pki,
    tmp_path: Path,
    options: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = ["carnet", "serve", "--port", str(servers.free_port()), "--data", str(tmp_path / "data")]
    command += ["--certificate", str(pki.server), "--trust", str(pki.trust), "--audit-reserve-mb", "0"]
    command += [one.replace("PKI", str(pki.folder)) for one in options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr()
    assert (ended.value.code, words in told.err, "Traceback" in told.err) == (2, True, False), told.err
    assert "listens" not in told.out + told.err
