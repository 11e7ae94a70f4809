"""Callers of an open server: nobody is asked who they are; whoever says so by a VIHF is taken at their word.

The signature is not read: with `--security open`, on loopback, tools and tests try what the policy lets a professional
do, without certificates and with a clock that they move. ADR 0010.
"""

from dataclasses import replace
from wsgiref.types import WSGIEnvironment

from lxml import etree

from access_policy.assertion import read_assertion
from access_policy.bearer_token import is_jwt
from access_policy.caller import OPEN_CALLER, Caller, Peer
from access_policy.refusals import Reason, Refused
from access_policy.security_header import SAML, WSSE
from access_policy.vihf import told_caller
from carnet.authentication import CallerOfMessage, CallerOfRequest, OnRefusal, fault_of, read_vihf_rules
from carnet.claims import Claim, claim_of
from carnet.domains import wire_name
from carnet.fhir_callers import as_message, asked_for, bearer_of, refused_token
from carnet.fhir_tokens import CallerOfToken, claim_of_token
from carnet.settings import Settings
from soap.wire import DMP

_SECURITY = f"{{{WSSE}}}Security"
_ASSERTION = f"{{{SAML}}}Assertion"


def open_callers(
    settings: Settings, on_refusal: OnRefusal, tokens: CallerOfToken | None = None
) -> tuple[CallerOfMessage, CallerOfRequest]:
    """Whom SOAP and FHIR serve with `--security open`; a JWT is verified there too. Raises SettingsError."""
    if settings.domain != "dmp":
        return (lambda environ, _envelope: _open(environ)), _or_token(_open, tokens, on_refusal)
    rules, tells_certificate = read_vihf_rules(settings), wire_name(settings) == DMP.name

    def told(environ: WSGIEnvironment, envelope: etree._Element) -> Caller:
        assertions = [one for header in envelope.iter(_SECURITY) for one in header.iterchildren(_ASSERTION)]
        if not assertions:
            return _open(environ)
        if len(assertions) > 1:
            raise Refused(Reason.HEADER, f"found {len(assertions)} assertions, expected one")
        return replace(told_caller(read_assertion(assertions[0]), rules), peer=_peer(environ))

    def of_message(environ: WSGIEnvironment, envelope: etree._Element) -> Caller:
        try:
            return told(environ, envelope)
        except Refused as refused:
            on_refusal(refused, _peer(environ), claim_of(envelope))
            raise fault_of(refused, tells_certificate=tells_certificate) from None

    def of_request(environ: WSGIEnvironment) -> Caller:
        if not _has_bearer(environ):
            return _open(environ)
        claim = Claim(transaction=asked_for(environ))
        try:
            message = as_message(bearer_of(environ))
            claim = claim_of(message, claim.transaction)
            return told(environ, message)
        except Refused as refused:
            on_refusal(refused, _peer(environ), claim)
            raise refused_token() from None

    return of_message, _or_token(of_request, tokens, on_refusal)


def _or_token(other: CallerOfRequest, tokens: CallerOfToken | None, on_refusal: OnRefusal) -> CallerOfRequest:
    """The caller of a JWT where its issuers are configured; of any other request, `other`."""
    if tokens is None:
        return other

    def of_request(environ: WSGIEnvironment) -> Caller:
        if not (_has_bearer(environ) and is_jwt(environ["HTTP_AUTHORIZATION"])):
            return other(environ)
        claim = Claim(transaction=asked_for(environ))
        try:
            token = bearer_of(environ)
            claim = claim_of_token(token, claim)
            return replace(tokens(token, None), peer=_peer(environ))
        except Refused as refused:
            on_refusal(refused, _peer(environ), claim)
            raise refused_token() from None

    return of_request


def _has_bearer(environ: WSGIEnvironment) -> bool:
    found: str = environ.get("HTTP_AUTHORIZATION", "")
    return found.lower().startswith("bearer ")


def _open(environ: WSGIEnvironment) -> Caller:
    return replace(OPEN_CALLER, peer=_peer(environ))


def _peer(environ: WSGIEnvironment) -> Peer:
    return Peer(address=environ.get("REMOTE_ADDR", ""))
