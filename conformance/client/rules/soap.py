"""The SOAP envelope and its WS-Addressing headers. ITI TF-2: V.3.2; WS-Addressing 1.0 Core 3.1."""

import re
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from conformance.client.exchanges import XOP, Exchange, Laboratory, Problem, Problems
from conformance.client.received import ACTIONS, SOAP_12, WSA
from conformance.client.rules.rule import Rule, expected, on_request, on_soap, unless
from conformance.nist.xml import as_root, local_name, text_of
from conformance.sentence import french

ANONYMOUS = f"{WSA}/anonymous"
_MARKUP = re.compile(rb"<!DOCTYPE|<\?(?!xml\s)")


def _is_one_soap_message(exchange: Exchange, _: Laboratory) -> Problems:
    envelope = exchange.received.envelope
    if envelope is None:
        why = exchange.received.problem or exchange.problem
        evidence = exchange.received.body[:500].decode("utf-8", "replace")
        fr, en = f"aucune enveloppe SOAP lisible : {french(why)}", f"no readable SOAP envelope: {why}"
        yield Problem(fr=fr, en=en, evidence=evidence or exchange.received.head[:500].decode("latin-1"))
        return
    name = f"{{{SOAP_12}}}Envelope"
    if envelope.tag != name:
        yield expected(str(envelope.tag), name, name, "/Envelope")
    bodies = [one for one in envelope.iterchildren("*") if local_name(one) == "Body"]
    inside = len(list(bodies[0].iterchildren("*"))) if bodies else 0
    fr = f"{len(bodies)} Body avec {inside} éléments, attendu un Body avec un élément"
    en = f"{len(bodies)} Body with {inside} elements, expected one Body with one element"
    yield from unless(len(bodies) == 1 and inside == 1, fr, en, "/Envelope/Body")


def _names_its_action(exchange: Exchange, _: Laboratory) -> Problems:
    header, payload = exchange.received.header, exchange.received.payload
    found = [] if header is None else header.findall(f"{{{WSA}}}Action")
    allowed = () if payload is None else ACTIONS.get(local_name(payload), ())
    text = exchange.received.addressed("Action")
    if len(found) != 1:
        yield expected(f"{len(found)} wsa:Action", "un seul", "one", "/Envelope/Header/Action")
    elif text not in allowed:
        yield expected(text, " ou ".join(allowed), " or ".join(allowed), "/Envelope/Header/Action")


def _must_be_understood(exchange: Exchange, _: Laboratory) -> Problems:
    header = exchange.received.header
    for one in () if header is None else header.findall(f"{{{WSA}}}Action"):
        value = one.get(f"{{{SOAP_12}}}mustUnderstand", "")
        if value not in ("1", "true"):
            wanted = 'env:mustUnderstand="1"'
            yield expected(value, wanted, wanted, "/Envelope/Header/Action")


def _asks_for_an_answer_here(exchange: Exchange, _: Laboratory) -> Problems:
    header = exchange.received.header
    address = None if header is None else header.find(f"{{{WSA}}}ReplyTo/{{{WSA}}}Address")
    found = "" if address is None else text_of(address)
    if found != ANONYMOUS:
        yield expected(found, ANONYMOUS, ANONYMOUS, "/Envelope/Header/ReplyTo/Address")


def _is_addressed_to_the_service(exchange: Exchange, _: Laboratory) -> Problems:
    found, path = exchange.received.addressed("To"), exchange.received.path.partition("?")[0]
    if urlsplit(found).path != path:
        yield expected(found, f"…{path}", f"…{path}", "/Envelope/Header/To")


def _obeys_its_schema(exchange: Exchange, laboratory: Laboratory) -> Problems:
    payload, schema = exchange.received.payload, laboratory.payload_schema
    if payload is None or schema.validate(_without_includes(payload)):
        return
    # Values of the DMP's own lists have rules of their own.
    log: Any = schema.error_log
    errors = [one for one in log if "ENUMERATION" not in one.type_name]
    for one in errors[:10]:
        yield Problem(fr=str(one.message), en=str(one.message), location=f"Body, ligne {one.line}")


def _without_includes(payload: etree._Element) -> etree._Element:
    """As the schema of XDS.b sees it: xop:Include stands for base64."""
    copied = as_root(payload)
    for include in list(copied.iter(f"{{{XOP}}}Include")):
        holder = include.getparent()
        if holder is not None:
            holder.remove(include)
    return copied


def _has_no_markup_beside(exchange: Exchange, _: Laboratory) -> Problems:
    found = _MARKUP.search(exchange.received.root)
    if found:
        text = exchange.received.root[found.start() : found.start() + 80].decode("utf-8", "replace")
        yield expected(text, "ni DOCTYPE ni instruction", "neither DOCTYPE nor instruction", "/")


def _has_no_doctype(exchange: Exchange) -> bool:
    return on_request(exchange) and b"<!DOCTYPE" not in exchange.received.root


RULES = (
    Rule(requirement="CLIENT-SOAP-01", applies=_has_no_doctype, check=_is_one_soap_message),
    Rule(requirement="CLIENT-SOAP-02", applies=on_soap, check=_names_its_action),
    Rule(requirement="CLIENT-SOAP-03", applies=on_soap, check=_must_be_understood),
    Rule(requirement="CLIENT-SOAP-05", applies=on_soap, check=_asks_for_an_answer_here),
    Rule(requirement="CLIENT-SOAP-06", applies=on_soap, check=_is_addressed_to_the_service),
    Rule(requirement="CLIENT-SOAP-07", applies=on_soap, check=_obeys_its_schema),
    Rule(requirement="CLIENT-SOAP-08", applies=on_request, check=_has_no_markup_beside),
)
