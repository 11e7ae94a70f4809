"""Faults within one message: transport, SOAP, VIHF."""

import re
import ssl
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from access_policy.make_vihf import security_header
from carnet.pki_folder import read_credential
from conformance.client.received import SAML, Received
from tests.conformance.faulty_clients import (
    EXIST,
    FEED,
    INDIRECT,
    READ,
    Bench,
    Fault,
    attribute,
    fault,
    sha1,
    sub,
)
from xds.datatypes import CX, Code

TD02, FEEDING, READING = "TD0.2", "ITI-41", "ITI-43"
RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"


def _without_certificate(bench: Bench) -> None:
    context = ssl.create_default_context(cafile=str(bench.software.prepared.trust / "root.pem"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for file in bench.software.prepared.trust.glob("*.pem"):
        context.load_verify_locations(cafile=str(file))
    bench.send(TD02, context=context)


def _with_weak_suite(bench: Bench) -> None:
    context = bench.context(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES256-GCM-SHA384")
    bench.send(TD02, context=context)


def _signed_by_the_connection(bench: Bench) -> None:
    """The seal of a structure may do both; one certificate may not."""
    signer = bench.signer("seal")
    bench.send(TD02, claim=INDIRECT, signer=signer, context=bench.context("seal"))


def _believes_any_server(bench: Bench) -> None:
    context = bench.context(check_hostname=False)
    context.verify_mode = ssl.CERT_NONE
    bench.send(TD02, step=EXIST, context=context)


def _same_message_id(bench: Bench) -> None:
    for _ in range(2):
        bench.send(TD02, message_id="urn:uuid:5f0c35e5-8a0f-4a6f-a2a1-0a36f0a2b7f1")


def _reused_assertion_id(bench: Bench) -> None:
    for version in ("3.0", "4.0"):
        bench.send(TD02, claim={"id": "_the-same", "version": version})


def _signed_with_sha1(bench: Bench) -> None:
    signer = bench.signer()
    made = bench.assertion("followed", claim={})
    bench.send(TD02, assertion=sha1(made, signer))


def _signed_to_authenticate(bench: Bench) -> None:
    """The certificate of a structure for connections, where its seal is wanted."""
    prepared, people = bench.software.prepared, bench.software.people
    signer = read_credential(prepared.issued(people.structure.id, "authentication"))
    bench.send(TD02, claim=INDIRECT, signer=signer)


def _an_hour_ago(bench: Bench) -> None:
    bench.send(TD02, now=datetime.now(UTC) - timedelta(hours=1))


def _two_assertions(bench: Bench) -> None:
    bench.send(TD02, sub("</wsse:Security>", "<saml2:Assertion xmlns:saml2='" + SAML + "'/></wsse:Security>"))


def _without_authentication_class(assertion: etree._Element) -> None:
    next(assertion.iter(f"{{{SAML}}}AuthnContextClassRef")).text = "carte"


def _other_issuer(assertion: etree._Element) -> None:
    assertion.find(f"{{{SAML}}}Issuer").text = "CN=899700000000,C=FR"


def _tampered(assertion: etree._Element) -> None:
    attribute("LPS_Version", "9.9")(assertion)


def _no_name_id(assertion: etree._Element) -> None:
    assertion.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID").text = "marie"


def _no_subject_id(bench: Bench) -> None:
    bench.send(TD02, claim=INDIRECT | {"display_name": ""}, signer=bench.signer("seal"))


def _other_structure(bench: Bench) -> None:
    bench.send(TD02, claim=INDIRECT | {"structure": "1690000014"}, signer=bench.signer("seal"))


def _vihf(name: str, value: str) -> Any:
    return lambda bench: bench.send(TD02, unsigned=attribute(name, value))


def _purpose(assertion: etree._Element) -> None:
    for one in assertion.iter("{urn:hl7-org:v3}PurposeOfUse"):
        one.set("code", "urgence")


def _with_a_spare_part(octets: bytes) -> bytes:
    boundary = octets[: octets.index(b"\r\n")]
    at = octets.rindex(boundary + b"--")
    part = boundary + b"\r\nContent-Type: text/plain\r\nContent-ID: <spare@test>\r\n\r\nspare\r\n"
    return octets[:at] + part + octets[at:]


def _simple(bench: Bench) -> None:
    root = Received.of(bench.place.message(READ, READING).request).root
    kind = "Content-Type: application/soap+xml; charset=UTF-8"
    bench.send(READING, lambda _octets: root_with_new_ids(bench, root), head=sub("(?i)content-type:[^\r]*", kind))


def root_with_new_ids(bench: Bench, root: bytes) -> bytes:
    """The envelope alone, with a VIHF and a MessageID of its own."""
    at, end = root.index(b"<wsse:Security"), root.index(b"</wsse:Security>") + len(b"</wsse:Security>")
    root = root[:at] + security_header(bench.assertion("followed", claim={})) + root[end:]
    return re.sub(rb"(MessageID>)[^<]+", rb"\1urn:uuid:" + str(uuid.uuid4()).encode(), root)


MESSAGE_FAULTS: tuple[Fault, ...] = (
    fault("TLS-01", EXIST, "opens the connection without a certificate", _without_certificate),
    fault("TLS-02", EXIST, "uses TLS 1.2 with RSA key exchange", _with_weak_suite),
    fault("TLS-03", EXIST, "opens the connection with the seal that signs its VIHF", _signed_by_the_connection),
    fault("TLS-04", "alimentation/unknown-server", "does not verify the server's certificate", _believes_any_server),
    fault(
        "SOAP-01",
        EXIST,
        "sends a SOAP 1.1 envelope",
        lambda b: b.send(
            TD02,
            lambda o: o.replace(
                b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"
            ).replace(
                b'env:mustUnderstand="1"', b'm:mustUnderstand="1" xmlns:m="http://www.w3.org/2003/05/soap-envelope"'
            ),
        ),
    ),
    fault(
        "SOAP-02",
        EXIST,
        "names another action",
        lambda b: b.send(TD02, sub("307UV02</wsa:Action", "309UV02</wsa:Action")),
    ),
    fault("SOAP-03", EXIST, "does not mark wsa:Action", lambda b: b.send(TD02, sub(' env:mustUnderstand="1"'))),
    fault("SOAP-04", EXIST, "sends the same MessageID twice", _same_message_id),
    fault("SOAP-05", EXIST, "sends no ReplyTo", lambda b: b.send(TD02, sub("<wsa:ReplyTo>.*?</wsa:ReplyTo>"))),
    fault(
        "SOAP-06",
        EXIST,
        "addresses another path",
        lambda b: b.send(TD02, sub("/xds/patients</wsa:To>", "/elsewhere</wsa:To>")),
    ),
    fault(
        "SOAP-07",
        EXIST,
        "adds an element that the schema does not have",
        lambda b: b.send(TD02, sub("<processingCode ", '<strange xmlns="urn:hl7-org:v3"/><processingCode ')),
    ),
    fault(
        "SOAP-08",
        EXIST,
        "puts a processing instruction into the header",
        lambda b: b.send(TD02, sub("<wsa:To>", "<?show all?><wsa:To>")),
    ),
    fault("SOAP-09", EXIST, "sends text/xml", lambda b: b.send(TD02, head=sub("application/soap\\+xml", "text/xml"))),
    fault(
        "SOAP-10",
        EXIST,
        "declares ISO-8859-1",
        lambda b: b.send(TD02, sub('encoding="UTF-8"', 'encoding="ISO-8859-1"')),
    ),
    fault(
        "MTOM-01",
        FEED,
        "names another type of root in the Content-Type",
        lambda b: b.send(FEEDING, head=sub('type="application/xop\\+xml"', 'type="text/xml"')),
    ),
    fault(
        "MTOM-02",
        FEED,
        "sends the root part as text/xml",
        lambda b: b.send(FEEDING, sub("Content-Type: application/xop\\+xml[^\r]*", "Content-Type: text/xml")),
    ),
    fault("MTOM-03", FEED, "sends a part that nothing names", lambda b: b.send(FEEDING, _with_a_spare_part)),
    fault("MTOM-04", READ, "asks for a document by simple SOAP", _simple),
    fault("VIHF-01", EXIST, "puts two assertions into the header", _two_assertions),
    fault("VIHF-02", EXIST, "changes an attribute after it was signed", lambda b: b.send(TD02, signed=_tampered)),
    fault("VIHF-03", EXIST, "signs with RSA-SHA1", _signed_with_sha1),
    fault("VIHF-04", EXIST, "names another Issuer than the signer", lambda b: b.send(TD02, unsigned=_other_issuer)),
    fault("VIHF-05", EXIST, "signs with a certificate for connections", _signed_to_authenticate),
    fault("VIHF-06", EXIST, "gives two assertions the same ID", _reused_assertion_id),
    fault("VIHF-07", EXIST, "shows an assertion of an hour ago", _an_hour_ago),
    fault("VIHF-08", EXIST, "names the user by login in direct mode", lambda b: b.send(TD02, unsigned=_no_name_id)),
    fault("VIHF-09", EXIST, "claims VIHF 5.0", lambda b: b.send(TD02, claim={"version": "5.0"})),
    fault("VIHF-10", EXIST, "names a structure without a national number", _vihf("Identifiant_Structure", "CLINIQUE")),
    fault(
        "VIHF-11",
        EXIST,
        "names a sector that does not exist",
        lambda b: b.send(TD02, claim={"sector": Code(code="SA99", coding_scheme="1.2.250.1.71.4.2.4")}),
    ),
    fault("VIHF-12", EXIST, "names an unknown mode of authentication", _vihf("Authentification_mode", "CARTE")),
    fault(
        "VIHF-13",
        EXIST,
        "names an unknown profession",
        lambda b: b.send(TD02, claim={"roles": (Code(code="77", coding_scheme="1.2.250.1.71.1.2.7"),)}),
    ),
    fault(
        "VIHF-14",
        EXIST,
        "names no speciality of the doctor",
        lambda b: b.send(TD02, claim={"roles": b.software.claim(b.patient("followed")).roles[:1]}),
    ),
    fault(
        "VIHF-15",
        EXIST,
        "names another patient than the message",
        lambda b: b.send(
            TD02, claim={"patient_id": CX.of(id="291031305507707", authority="1.2.250.1.213.1.4.10", type_code="NH")}
        ),
    ),
    fault("VIHF-16", EXIST, "asks for another resource", _vihf("Ressource_URN", "urn:other")),
    fault("VIHF-17", EXIST, "names a purpose that is not coded", lambda b: b.send(TD02, unsigned=_purpose)),
    fault("VIHF-18", EXIST, "leaves its homologation number out", _vihf("LPS_ID_HOMOLOGATION_DMP", "")),
    fault("VIHF-19", EXIST, "names no user in indirect mode", _no_subject_id),
    fault(
        "VIHF-20",
        EXIST,
        "names no SAML class of the log-in",
        lambda b: b.send(TD02, unsigned=_without_authentication_class),
    ),
    fault("VIHF-21", EXIST, "names another structure than its seal", _other_structure),
)
