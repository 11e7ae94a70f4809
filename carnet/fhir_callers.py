"""The caller of a FHIR request, by its token: the assertion of SOAP, or a JWT of an authorisation server. IUA 3.72.

A client certificate alone says which machine calls, never who asks and about whom.
"""

import base64
import binascii
import time
from dataclasses import replace
from wsgiref.types import WSGIEnvironment

from lxml import etree

from access_policy.bearer_token import is_jwt
from access_policy.caller import Caller
from access_policy.refusals import Reason, Refused
from access_policy.security_header import WSSE
from carnet.authentication import CallerOfRequest, LiveAuthenticator, OnRefusal, PeerCertificate, await_refusal, peer_of
from carnet.claims import Claim, claim_of
from carnet.fhir_tokens import CallerOfToken, claim_of_token
from fhir_facade.operation_outcome import FhirProblem
from xds.xml import BadXml, parse

_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_LONGEST = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_OPERATIONS = {"$generate-metadata": "ITI-106", "$ihe-pix": "ITI-83", "$validate": "ITI-65"}
_CHANGES = {
    ("POST", ""): "ITI-65",
    ("POST", "DocumentReference"): "ITI-105",
    ("PATCH", "DocumentReference"): "ITI-57",
    ("POST", "Patient"): "ITI-104",
    ("PUT", "Patient"): "ITI-104",
}
_READINGS = {
    "List": "ITI-66",
    "Binary": "ITI-68",
    "Patient": "ITI-78",
    "AuditEvent": "ITI-81",
    "Subscription": "ITI-111",
}
_CONSTANT = (
    "a token is required: an assertion (SAML 2.0, base64url), or a JWT where it is taken; this one is not accepted"
)


def proved_fhir_caller(
    authenticator: LiveAuthenticator,
    tokens: CallerOfToken | None,
    peer_certificate: PeerCertificate,
    on_refusal: OnRefusal,
) -> CallerOfRequest:
    """Asks every request for its token; the sender of a refused one reads one constant text, after a fixed time."""

    def caller_of(environ: WSGIEnvironment) -> Caller:
        began, peer, claim = time.monotonic(), peer_certificate(environ), Claim(transaction=asked_for(environ))
        try:
            token = bearer_of(environ)
            if tokens is not None and is_jwt(token):
                claim = claim_of_token(token, claim)
                return replace(tokens(token, peer), peer=peer_of(environ, peer))
            message = as_message(token)
            claim = claim_of(message, claim.transaction)
            return replace(authenticator.caller(message, peer), peer=peer_of(environ, peer))
        except Refused as refused:
            on_refusal(refused, peer_of(environ, peer), claim)
            await_refusal(began)
            raise refused_token() from None

    return caller_of


def refused_token() -> FhirProblem:
    """What the sender of a token that is not taken reads, whatever is wrong with it."""
    return FhirProblem(401, "login", _CONSTANT)


def asked_for(environ: WSGIEnvironment) -> str:
    """The transaction that a request under /fhir asks for, before anybody knows whether it may."""
    kind, _, what = environ["PATH_INFO"].removeprefix("/fhir").strip("/").partition("/")
    is_search = what == "_search" or environ.get("CONTENT_TYPE", "").startswith(_FORM)
    change = "" if is_search else _CHANGES.get((environ["REQUEST_METHOD"], kind), "")
    return _OPERATIONS.get(what or kind) or change or _READINGS.get(kind, "ITI-67")


def bearer_of(environ: WSGIEnvironment) -> str:
    """The token in the header; one in the URL or a form is none. Raises Refused. RFC 6750: 2.1"""
    told: str = environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = told.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
        raise Refused(Reason.TOKEN, "no bearer token")
    return token


def as_message(token: str) -> etree._Element:
    """The token where the authenticator looks for an assertion. Raises Refused."""
    try:
        octets = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        assertion = parse(octets)
    except (binascii.Error, ValueError, BadXml):
        raise Refused(Reason.TOKEN, "the token is no assertion") from None
    envelope = etree.Element(f"{{{_ENVELOPE}}}Envelope")
    header = etree.SubElement(envelope, f"{{{_ENVELOPE}}}Header")
    etree.SubElement(header, f"{{{WSSE}}}Security").append(assertion)
    return envelope
