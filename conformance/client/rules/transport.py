"""TLS, media types and MIME parts of a request. PDT-INF-579; ITI TF-2: V.3.1, 3.41.4.1.2; RFC 2387."""

import hashlib
import re

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from conformance.client.exchanges import XOP, Exchange, Laboratory, Problem, Problems
from conformance.client.rules.rule import MULTIPART, Rule, among, expected, on, on_request, on_soap, unless
from conformance.client.rules.vihf_reading import signer_of
from conformance.failures import ExchangeFailed
from conformance.nist.mtom import media_type, split_parts
from conformance.sentence import counted, french, sentence_of

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)["']""")


def _shows_certificate(exchange: Exchange, _: Laboratory) -> Problems:
    yield from unless(
        bool(exchange.connection.certificate),
        f"aucun certificat client reconnu n'a été présenté {french(exchange.problem)}".strip(),
        f"no trusted client certificate was shown {exchange.problem}".strip(),
        "TLS",
        str(exchange.connection),
    )


def _has_strong_suite(exchange: Exchange, _: Laboratory) -> Problems:
    version, suite = exchange.connection.version, exchange.connection.suite
    is_strong = version == "TLSv1.3" or (version == "TLSv1.2" and suite.startswith("ECDHE"))
    if not is_strong:
        yield expected(f"{version} {suite}", "TLS 1.2 avec ECDHE, ou TLS 1.3", "TLS 1.2 with ECDHE, or TLS 1.3", "TLS")


def _is_another_than_the_signer(exchange: Exchange, _: Laboratory) -> Problems:
    certificate, signer = exchange.connection.certificate, signer_of(exchange.received)
    if signer is not None and hashlib.sha256(certificate).digest() == hashlib.sha256(signer[1]).digest():
        yield Problem(
            fr="le certificat de la connexion a aussi signé le VIHF",
            en="the certificate of the connection signed the VIHF too",
            location="TLS",
            evidence=str(exchange.connection),
        )
    try:
        usage = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        is_client = ExtendedKeyUsageOID.CLIENT_AUTH in usage.value
    except x509.ExtensionNotFound:
        is_client = True
    yield from unless(is_client, "ce n'est pas un certificat client", "this is no client certificate", "TLS")


def _is_simple_soap(exchange: Exchange, _: Laboratory) -> Problems:
    yield from among(exchange.received.media[0], ("application/soap+xml",), "Content-Type")


def _is_in_utf8(exchange: Exchange, _: Laboratory) -> Problems:
    received = exchange.received
    declared = _DECLARED.match(received.root[:200])
    named = [received.media[1].get("charset", ""), declared[1].decode("latin-1") if declared else ""]
    for name in named:
        if name and name.lower() not in ("utf-8", "utf8"):
            yield expected(name, "UTF-8", "UTF-8", "charset")
    try:
        received.root.decode("utf-8")
    except UnicodeDecodeError as problem:
        found = f"0x{problem.object[problem.start]:02x}"
        yield Problem(
            fr=f"ce n'est pas de l'UTF-8 : trouvé {found} à l'octet {problem.start}",
            en=f"this is no UTF-8: found {found} at octet {problem.start}",
            location="Body",
        )


def _is_mtom(exchange: Exchange, _: Laboratory) -> Problems:
    kind, parameters = exchange.received.media
    yield from among(kind, ("multipart/related",), "Content-Type")
    if kind == "multipart/related":
        yield from among(parameters.get("type", ""), ("application/xop+xml",), "Content-Type; type")


def _is_multipart(exchange: Exchange, _: Laboratory) -> Problems:
    yield from among(exchange.received.media[0], ("multipart/related",), "Content-Type")


def _root_part_comes_first(exchange: Exchange, _: Laboratory) -> Problems:
    received = exchange.received
    parameters = received.media[1]
    try:
        parts = split_parts(parameters.get("boundary", ""), received.body)
    except ExchangeFailed as problem:
        told = sentence_of(problem)
        yield Problem(fr=f"parties illisibles : {told.fr}", en=f"unreadable parts: {told}", location="MIME")
        return
    if not parts:
        yield expected("0", "une partie", "a part", "MIME")
        return
    first = parts[0]
    yield from among(media_type(first.content_type)[0], ("application/xop+xml",), "MIME part 1; Content-Type")
    start = parameters.get("start", "").strip("<>")
    if start and start != first.content_id:
        yield expected(start, f"start={first.content_id}", f"start={first.content_id}", "Content-Type; start")


def _documents_travel_in_parts(exchange: Exchange, _: Laboratory) -> Problems:
    received = exchange.received
    if received.payload is None:
        return
    hrefs = [one.get("href", "").removeprefix("cid:") for one in received.payload.iter(f"{{{XOP}}}Include")]
    documents = [one for one in received.payload.iterchildren("*") if one.tag.endswith("}Document")]
    ids = [one.content_id for one in received.parts]
    told = counted(len(documents), ("document", "documents"), ("document", "documents"))
    others = counted(len(ids), ("partie", "parties"), ("part", "parts"))
    if sorted(hrefs) != sorted(ids) or len(hrefs) != len(documents):
        yield Problem(
            fr=f"{told.fr}, {len(hrefs)} xop:Include, {others.fr} : attendu que chacun désigne l'autre une fois",
            en=f"{told}, {len(hrefs)} xop:Include, {others}: expected that each names the other once",
            location="xds:Document",
            evidence="\n".join([*hrefs, *ids]),
        )


def _is_on_multipart(exchange: Exchange) -> bool:
    return exchange.transaction in MULTIPART and exchange.received.media[0] == "multipart/related"


RULES = (
    Rule(
        requirement="CLIENT-TLS-01",
        applies=lambda one: on_request(one) or one.problem.startswith("TLS"),
        check=_shows_certificate,
    ),
    Rule(requirement="CLIENT-TLS-02", applies=lambda one: bool(one.connection.version), check=_has_strong_suite),
    Rule(
        requirement="CLIENT-TLS-03",
        applies=lambda one: bool(one.connection.certificate) and one.received.assertion is not None,
        check=_is_another_than_the_signer,
    ),
    Rule(
        requirement="CLIENT-SOAP-09",
        applies=lambda one: on_soap(one) and one.transaction not in MULTIPART,
        check=_is_simple_soap,
    ),
    Rule(requirement="CLIENT-SOAP-10", applies=on_soap, check=_is_in_utf8),
    Rule(requirement="CLIENT-MTOM-01", applies=on("ITI-41"), check=_is_mtom),
    Rule(requirement="CLIENT-MTOM-02", applies=_is_on_multipart, check=_root_part_comes_first),
    Rule(
        requirement="CLIENT-MTOM-03",
        applies=lambda one: one.transaction == "ITI-41" and _is_on_multipart(one),
        check=_documents_travel_in_parts,
    ),
    Rule(requirement="CLIENT-MTOM-04", applies=on("ITI-43"), check=_is_multipart),
)
