"""The SOAP 1.2 envelope, read from a stranger and written around a body that is already bytes. SOAP 1.2 Part 1: 5."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from soap.addressing import Addressing, read_addressing
from soap.faults import ADDRESSING, ENVELOPE, SoapFault, not_understood, sender, version_mismatch
from soap.wire import Wire
from xds.xml import BadXml, XmlLimits, parse

SOAP_1_1 = "http://schemas.xmlsoap.org/soap/envelope/"
WS_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_ENVELOPE = f"{{{ENVELOPE}}}Envelope"
_UNDERSTOOD = (ADDRESSING, WS_SECURITY)
_TRUE = ("1", "true")
_OURS = ("", f"{ENVELOPE}/role/next", f"{ENVELOPE}/role/ultimateReceiver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request: its one body element and what its headers said."""

    root: etree._Element
    body: etree._Element
    addressing: Addressing


def read_envelope(
    data: bytes, *, wire: Wire, limits: XmlLimits, charset: str | None = None, mtom: bool = False
) -> Envelope:
    """Read and check an envelope. Raises SoapFault of the closed list."""
    try:
        root = parse(data, limits=limits, charset=charset, processing_instructions=False)
    except BadXml as problem:
        raise sender(str(problem)) from None
    namespace = _envelope_namespace(root, allow_1_1=mtom and wire.soap_1_1_in_mtom)
    header, body = _header_and_body(root, namespace)
    _check_must_understand(header, namespace)
    addressing = read_addressing(header, action_may_lack=wire.action_may_lack)
    return Envelope(root=root, body=_only_child(body), addressing=addressing)


def _envelope_namespace(root: etree._Element, *, allow_1_1: bool) -> str:
    if root.tag == _ENVELOPE:
        return ENVELOPE
    if allow_1_1 and root.tag == f"{{{SOAP_1_1}}}Envelope":
        return SOAP_1_1
    if str(root.tag).rpartition("}")[2] != "Envelope":
        raise sender("expected a SOAP envelope")
    raise version_mismatch()


def _header_and_body(root: etree._Element, namespace: str) -> tuple[etree._Element | None, etree._Element]:
    children = list(root.iterchildren(etree.Element))
    header, body = f"{{{namespace}}}Header", f"{{{namespace}}}Body"
    if [child.tag for child in children] not in ([header, body], [body]):
        raise sender("expected at most one Header, first, and one Body in the envelope")
    return (children[0] if len(children) > 1 else None), children[-1]


def _only_child(body: etree._Element) -> etree._Element:
    children = list(body.iterchildren(etree.Element))
    if len(children) != 1:
        raise sender(f"expected exactly one element in the Body, found {len(children)}")
    return children[0]


def _check_must_understand(header: etree._Element | None, namespace: str) -> None:
    """SOAP 1.2 Part 1: 2.4; a block for another role is not ours to understand."""
    for block in () if header is None else header.iterchildren(etree.Element):
        if (block.get(f"{{{namespace}}}mustUnderstand") or "").strip() not in _TRUE:
            continue
        name = etree.QName(block)
        if block.get(f"{{{namespace}}}role", "") in _OURS and name.namespace not in _UNDERSTOOD:
            raise not_understood(name.localname, name.namespace or "")


def write_envelope(body: bytes, *, action: str, relates_to: str = "", header: str = "") -> bytes:
    """An answer: wsa:Action to be understood, RelatesTo when the request had a MessageID. ITI TF-2x: V.3.3"""
    related = f"<wsa:RelatesTo>{escape(relates_to)}</wsa:RelatesTo>" if relates_to else ""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<env:Envelope xmlns:env="{ENVELOPE}" xmlns:wsa="{ADDRESSING}"><env:Header>'
        f'<wsa:Action env:mustUnderstand="1">{escape(action)}</wsa:Action>{related}{header}</env:Header><env:Body>'
    )
    return b"".join((head.encode(), body, b"</env:Body></env:Envelope>"))


def write_fault(fault: SoapFault, *, relates_to: str = "") -> bytes:
    return write_envelope(fault.body(), action=fault.action, relates_to=relates_to, header=fault.header)
