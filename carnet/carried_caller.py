"""The caller of a repository in another process, in a SOAP message of that repository to its registry.

A VIHF is bound to the certificate that showed it first, so it cannot be shown again by a repository. The repository has
verified it; the block `{urn:carnet:caller}caller` says in JSON whom it found. It counts from a repository that the
registry knows, by secret or certificate, and from nobody else.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from wsgiref.types import WSGIEnvironment
from xml.sax.saxutils import escape

import orjson
from lxml import etree

from access_policy.caller import Caller, Peer
from access_policy.security_header import WSSE
from carnet.authentication import CallerOfMessage, PeerCertificate, peer_of
from carnet.caller_json import NoCaller, read_caller, write_caller
from soap.faults import sender
from xds.xml import text_of

_NAMESPACE = "urn:carnet:caller"
_CARRIED, _SECURITY = f"{{{_NAMESPACE}}}caller", f"{{{WSSE}}}Security"
# Whether a request comes from a process of this record.
IsTrusted = Callable[[WSGIEnvironment], bool]


def carried_caller_header(caller: Caller) -> bytes:
    """The header block of a message that is sent for this caller."""
    told = escape(orjson.dumps(write_caller(caller)).decode())
    return f'<caller xmlns="{_NAMESPACE}">{told}</caller>'.encode()


def or_carried(
    other: CallerOfMessage, is_trusted: IsTrusted, peer_certificate: PeerCertificate, *, open_callers: bool
) -> CallerOfMessage:
    """The caller that a known repository names, or the repository itself where it names none; of others, `other`.

    A repository of another maker may show an assertion of its own instead. A caller whom nobody asked counts only
    where `open_callers`. Raises SoapFault.
    """

    def caller_of(environ: WSGIEnvironment, envelope: etree._Element) -> Caller:
        header = envelope.find("{*}Header")
        if not is_trusted(environ) or (header is not None and header.find(_SECURITY) is not None):
            return other(environ, envelope)
        peer = replace(peer_of(environ, peer_certificate(environ)), is_repository=True)
        block = None if header is None else header.find(_CARRIED)
        if block is None:
            return other(environ, envelope) if open_callers else Caller(name=peer.certificate, peer=peer)
        return _carried(block, peer, open_callers=open_callers)

    return caller_of


def _carried(block: etree._Element, peer: Peer, *, open_callers: bool) -> Caller:
    try:
        caller = read_caller(json.loads(text_of(block)))
    except (NoCaller, ValueError, RecursionError):
        raise sender("the caller that a repository names cannot be read") from None
    if caller.is_open and not open_callers:
        raise sender("found a caller whom nobody asked, expected one who proved who they are")
    return replace(caller, peer=peer)
