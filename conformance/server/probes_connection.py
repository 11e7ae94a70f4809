"""Probes of the connection and of SOAP itself: TLS, versions, headers, broken messages. PDT-INF-579; SOAP 1.2 Part 1"""

import socket
import ssl
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from conformance.population.pki import Use
from conformance.sentence import Sentence
from conformance.server.exchange import UNREACHED, Reply
from conformance.server.probe import Failures, NotTestable, Probe, expected
from conformance.server.target import QUERY, Target, find_documents

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
_PATIENT = "IHERED-2000^^^&1.3.6.1.4.1.21367.13.20.1000&ISO"


def _without_certificate(target: Target) -> Failures:
    yield from _nothing_said(
        target, target.context(None), ("un client sans certificat", "a client without a certificate")
    )


def _unknown_authority(target: Target) -> Failures:
    one = target.doctor
    card = target.strangers.card(one.identifier, one.family, one.given, one.title, Use.AUTHENTICATION)
    with TemporaryDirectory() as folder:
        file = target.strangers.write(Path(folder), "stranger", Use.AUTHENTICATION, card)
        yield from _nothing_said(
            target,
            target.context(file),
            ("un certificat d'une autorité inconnue", "a certificate of an unknown authority"),
        )


def _old_protocol(target: Target) -> Failures:
    """TLS 1.1 and older. Our own library may refuse to speak it, then nothing was tried."""
    context = _best(target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        version, _ = _handshake(target, context)
    except ssl.SSLError as problem:
        if problem.reason in ("NO_PROTOCOLS_AVAILABLE", "UNSUPPORTED_PROTOCOL"):
            raise NotTestable(
                "la bibliothèque TLS de cette machine ne parle pas TLS 1.1",
                "the TLS library of this machine does not speak TLS 1.1",
            ) from None
        return
    except UNREACHED:
        raise NotTestable("personne ne répond à cette adresse", "nobody answers at this address") from None
    except OSError:
        return
    yield Sentence(f"{version} a été accepté", f"{version} was accepted")


def _protocol(target: Target) -> Failures:
    context = _best(target)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        version, suite = _handshake(target, context)
    except (ssl.SSLError, OSError) as problem:
        yield Sentence(f"TLS 1.2 a été refusé : {problem}", f"TLS 1.2 was refused: {problem}")
        return
    if not suite.startswith("ECDHE"):
        yield expected(f"{version} {suite}", "une suite ECDHE", "an ECDHE suite")


def _best(target: Target) -> ssl.SSLContext:
    """The context of the doctor's card, or of the certificate of the section."""
    tls = target.configuration.tls
    if tls is None:
        raise NotTestable(
            "le serveur n'est pas joint en https : il n'y a pas de section [tls]",
            "the server is not reached by https: there is no section [tls]",
        )
    if target.configuration.dmp is not None:
        return target.context(target.certificate(target.doctor, Use.AUTHENTICATION))
    return target.context(tls.certificate)


def _handshake(target: Target, context: ssl.SSLContext) -> tuple[str, str]:
    where = urlsplit(target.registry)
    if where.scheme != "https":
        raise NotTestable(f"{target.registry} n'est pas en https", f"{target.registry} is not https")
    address = (where.hostname or "", where.port or 443)
    with (
        socket.create_connection(address, timeout=target.configuration.timeout_seconds) as plain,
        context.wrap_socket(plain, server_hostname=where.hostname) as secured,
    ):
        suite = secured.cipher()
        return str(secured.version()), "" if suite is None else suite[0]


def _nothing_said(target: Target, context: ssl.SSLContext, who: tuple[str, str]) -> Failures:
    if urlsplit(target.registry).scheme != "https":
        raise NotTestable(f"{target.registry} n'est pas en https", f"{target.registry} is not https")
    message = target.envelope(QUERY, find_documents(_PATIENT))
    kind = {"Content-Type": "application/soap+xml; charset=UTF-8"}
    reply = target.wire.send("POST", target.registry, message, kind, transaction="ITI-18", tls=context)
    if not reply.problem and reply.status not in (400, 401, 403):
        yield Sentence(f"{who[0]} a reçu une réponse : {reply}", f"{who[1]} was answered: {reply}")


def _sent(target: Target, message: bytes, kind: str = "application/soap+xml; charset=UTF-8") -> Reply:
    """To the registry, by whoever may connect."""
    caller = target.doctor if target.configuration.dmp is not None else None
    tls = None if caller is None else target.caller_context(caller)
    return target.wire.send("POST", target.registry, message, {"Content-Type": kind}, transaction="ITI-18", tls=tls)


def _message(target: Target, action: str = QUERY, header: bytes = b"", *, namespace: str = "") -> bytes:
    """A query that is good but for what is asked."""
    if target.configuration.dmp is None:
        body, proof = find_documents(_PATIENT), b""
    else:
        patient = target.patient()
        body, proof = find_documents(patient.cx), target.header(target.doctor, patient)
    given = {"namespace": namespace} if namespace else {}
    return target.envelope(action, body, proof + header, **given)


def _fault(reply: Reply, wanted: str) -> Failures:
    if not reply.fault.startswith(wanted):
        yield expected(reply, f"l'erreur SOAP {wanted}", f"the fault {wanted}")
    if b"Traceback (most recent call last)" in reply.body or b"\tat java." in reply.body:
        yield Sentence("la réponse montre une trace de pile", "the answer shows a stack trace")


def _soap11(target: Target) -> Failures:
    reply = _sent(target, _message(target, namespace=SOAP11))
    is_old = SOAP11.encode() in reply.body and b"VersionMismatch" in reply.body
    if not is_old:
        yield from _fault(reply, "VersionMismatch")


def _doctype(target: Target) -> Failures:
    yield from _fault(_sent(target, b'<!DOCTYPE e [<!ENTITY x "y">]>' + _message(target)), "Sender")


def _unknown_header(target: Target) -> Failures:
    block = b'<k:unknown xmlns:k="urn:kit:unknown" soap:mustUnderstand="true"/>'
    yield from _fault(_sent(target, _message(target, header=block)), "MustUnderstand")


def _unknown_action(target: Target) -> Failures:
    yield from _fault(_sent(target, _message(target, "urn:kit:NoSuchAction")), "Sender")


def _not_well_formed(target: Target) -> Failures:
    yield from _fault(_sent(target, _message(target)[:-20]), "Sender")


def _no_root_part(target: Target) -> Failures:
    kind = 'multipart/related; type="application/xop+xml"; boundary="kit"; start="<missing@kit>"'
    body = b"--kit\r\nContent-Type: application/xop+xml\r\nContent-ID: <other@kit>\r\n\r\n" + _message(target)
    caller = target.doctor if target.configuration.dmp is not None else None
    tls = None if caller is None else target.caller_context(caller)
    octets = body + b"\r\n--kit--\r\n"
    reply = target.wire.send("POST", target.repository, octets, {"Content-Type": kind}, transaction="ITI-41", tls=tls)
    if not reply.is_refused:
        yield expected(reply, "une erreur SOAP ou HTTP 400", "a fault or HTTP 400")


PROBES = (
    Probe(
        name="tls.no-certificate",
        title_fr="connexion sans certificat",
        title_en="a connection without a certificate",
        failures=_without_certificate,
    ),
    Probe(
        name="tls.unknown-authority",
        title_fr="certificat d'une autorité inconnue",
        title_en="a certificate of an unknown authority",
        failures=_unknown_authority,
    ),
    Probe(
        name="tls.old-protocol",
        title_fr="connexion en TLS 1.1",
        title_en="a connection by TLS 1.1",
        failures=_old_protocol,
    ),
    Probe(name="tls.protocol", title_fr="connexion en TLS 1.2", title_en="a connection by TLS 1.2", failures=_protocol),
    Probe(name="soap.version-1.1", title_fr="enveloppe SOAP 1.1", title_en="a SOAP 1.1 envelope", failures=_soap11),
    Probe(name="soap.doctype", title_fr="message avec DOCTYPE", title_en="a message with a DOCTYPE", failures=_doctype),
    Probe(
        name="soap.unknown-header",
        title_fr="en-tête obligatoire inconnu",
        title_en="an unknown mandatory header",
        failures=_unknown_header,
    ),
    Probe(
        name="soap.unknown-action", title_fr="action inconnue", title_en="an unknown action", failures=_unknown_action
    ),
    Probe(
        name="soap.not-well-formed",
        title_fr="XML coupé avant sa fin",
        title_en="XML that was cut before its end",
        failures=_not_well_formed,
    ),
    Probe(
        name="soap.no-root-part",
        title_fr="multipart sans sa partie racine",
        title_en="multipart without its root part",
        failures=_no_root_part,
    ),
)
