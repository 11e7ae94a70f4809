"""Probes of who is let in: assertions that are missing, changed, expired, foreign, wrapped, incomplete.

Every forged assertion is made of one that the server trusts: it must be refused for what is wrong with it.
SAML Core 5.4; WS-Security 1.1.1, 12
"""

import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, product

from lxml import etree

from conformance.population.pki import Use
from conformance.sentence import Sentence
from conformance.server.exchange import Reply
from conformance.server.probe import Failures, Probe, expected
from conformance.server.target import QUERY, Target, find_documents
from conformance.vihf import DS, PATIENT, PURPOSE, ROLE, Claim, security_header

Element = etree._Element
Made = Callable[[Target], bytes]
_SIGNATURE = f"{{{DS}}}Signature"
MANDATORY = {
    "version": "VIHF_Version",
    "structure": "Identifiant_Structure",
    "sector": "Secteur_Activite",
    "mode": "Authentification_mode",
    "role": ROLE,
    "resource": "Ressource_URN",
    "purpose": PURPOSE,
    "software": "LPS_Nom",
    "software-version": "LPS_Version",
    "homologation": "LPS_ID_HOMOLOGATION_DMP",
}


def _sent(target: Target, header: bytes) -> Reply:
    message = target.envelope(QUERY, find_documents(target.patient().cx), header)
    return target.post(target.registry, QUERY, message, transaction="TD3.1", caller=target.doctor)


def _refused(header: Made, target: Target) -> Failures:
    reply = _sent(target, header(target))
    if not reply.is_refused:
        yield expected(reply, "une erreur SOAP", "a fault")
    elif reply.envelope is None and not reply.problem and reply.status not in (401, 403):
        yield Sentence(f"{reply} sans erreur SOAP", f"{reply} without a SOAP fault in it")


def _claim(target: Target, **changes: str | None) -> Claim:
    return replace(target.doctor.claim(target.patient().cx), changes=changes)


def _signed(target: Target, claim: Claim | None = None) -> Element:
    return target.assertion(claim or _claim(target), target.credential(target.doctor, Use.SIGNATURE))


def _none(target: Target) -> bytes:
    return b""


def _unsigned(target: Target) -> bytes:
    return security_header(target.assertion(_claim(target), None))


def _changed(target: Target) -> bytes:
    assertion = _signed(target)
    for role in assertion.iter("{urn:hl7-org:v3}Role"):
        role.set("displayName", "changed")
    return security_header(assertion)


def _at(moment: timedelta, target: Target) -> bytes:
    """Made that long after now, good for five minutes."""
    made = datetime.now(UTC).replace(microsecond=0) + moment
    signer = target.credential(target.doctor, Use.SIGNATURE)
    return security_header(target.assertion(_claim(target), signer, now=made))


def _unknown_signer(target: Target) -> bytes:
    return security_header(target.assertion(_claim(target), target.stranger))


def _authentication_certificate(target: Target) -> bytes:
    return security_header(target.assertion(_claim(target), target.credential(target.doctor, Use.AUTHENTICATION)))


def _without(attribute: str, target: Target) -> bytes:
    return security_header(_signed(target, _claim(target, **{attribute: None})))


def _without_patient(target: Target) -> Failures:
    """Refused, or taken for a call about nobody: no document of the patient may come back."""
    reply = _sent(target, _without(PATIENT, target))
    if not reply.is_refused and b"ExtrinsicObject" in reply.body:
        yield expected(f"{reply} + documents", "une erreur SOAP ou rien", "a fault or nothing")


def _other_patient(target: Target) -> bytes:
    other = target.patient("open-without-authorisation")
    return security_header(_signed(target, target.doctor.claim(other.cx)))


def _silent(target: Target) -> Failures:
    """Refusals of three kinds have one text, and none names the patient; what is accepted is no refusal."""
    kinds: Mapping[str, Made] = {
        "changed": _changed,
        "expired": partial(_at, timedelta(hours=-1)),
        "unknown signer": _unknown_signer,
    }
    sent = {name: _sent(target, made(target)) for name, made in kinds.items()}
    replies = {name: reply for name, reply in sent.items() if reply.is_refused}
    reasons = {reply.reason for reply in replies.values()}
    if len(reasons) > 1:
        told = "; ".join(sorted(reasons))
        yield Sentence(f"les motifs diffèrent : {told}", f"the reasons differ: {told}")
    ins = target.patient().ins.encode()
    for name, reply in replies.items():
        if ins in reply.body:
            yield Sentence(f"le refus nomme le patient ({name})", f"the refusal of {name} names the patient")


# --- wrapping: A is the signed assertion, DS its signature, O a copy without it, F the forgery -------------


class _Pieces:
    """Fresh copies of A, DS, O and F; F claims to be a nurse of the same card."""

    def __init__(self, target: Target, *, same_id: bool) -> None:
        self.signed = _signed(target)
        self.signature = copy.deepcopy(self.signed.find(_SIGNATURE))
        self.plain, self.forged = copy.deepcopy(self.signed), copy.deepcopy(self.signed)
        for one in (self.plain, self.forged):
            one.remove(next(one.iterchildren(_SIGNATURE)))
        for role in self.forged.iter("{urn:hl7-org:v3}Role"):
            role.set("code", "60")
        if not same_id:
            self.forged.set("ID", f"_{uuid.uuid4()}")


def _inside(parent: Element, child: Element | None, position: int | None = None) -> Element:
    if child is None:
        raise TypeError("expected an element")
    parent.insert(len(parent) if position is None else position, child)
    return parent


SHAPES: Mapping[str, Callable[[_Pieces], list[Element]]] = {
    "signature-moved": lambda p: [_inside(p.forged, p.signature, 1), p.plain],
    "siblings": lambda p: [p.forged, _only(p.signature), p.plain],
    "beside-the-signed": lambda p: [p.forged, p.signed],
    "around-the-signed": lambda p: [_inside(p.forged, p.signed)],
    "original-in-the-body": lambda p: [_inside(p.forged, p.signature, 1), p.plain],
    "original-in-the-signature": lambda p: [_inside(p.forged, _inside(_only(p.signature), p.plain), 1)],
    "in-an-extension": lambda p: [_inside(etree.Element("{urn:kit:extension}Extension"), p.forged), p.signed],
    "original-in-an-object": lambda p: [_inside(p.forged, _inside(_only(p.signature), _object(p.plain)), 1)],
}


def _only(element: Element | None) -> Element:
    if element is None:
        raise TypeError("expected an element")
    return element


def _object(child: Element) -> Element:
    return _inside(etree.Element(f"{{{DS}}}Object"), child)


def _wrapped(shape: str, same_id: bool, forged_first: bool, target: Target) -> Failures:
    pieces = SHAPES[shape](_Pieces(target, same_id=same_id))
    ordered = pieces if forged_first else pieces[::-1]
    body = find_documents(target.patient().cx)
    if shape == "original-in-the-body":
        end = b"</q:AdhocQueryRequest>"
        body, ordered = body.replace(end, etree.tostring(pieces[1]) + end), pieces[:1]
    message = target.envelope(QUERY, body, security_header(*ordered))
    reply = target.post(target.registry, QUERY, message, transaction="TD3.1", caller=target.doctor)
    if not reply.is_refused:
        yield Sentence(
            f"une assertion enveloppée a été acceptée : {reply}", f"a wrapped assertion was accepted: {reply}"
        )


_REFUSED: tuple[tuple[str, str, str, Made], ...] = (
    ("none", "appel sans assertion", "a call without an assertion", _none),
    ("unsigned", "assertion non signée", "an unsigned assertion", _unsigned),
    ("changed", "assertion modifiée après signature", "an assertion changed after it was signed", _changed),
    ("expired", "assertion périmée d'une heure", "an assertion an hour too old", partial(_at, timedelta(hours=-1))),
    ("future", "assertion en avance d'une heure", "an assertion an hour too early", partial(_at, timedelta(hours=1))),
    ("unknown-signer", "signataire d'une autorité inconnue", "a signer of an unknown authority", _unknown_signer),
    (
        "authentication-certificate",
        "signature par un certificat d'authentification",
        "signed by an authentication certificate",
        _authentication_certificate,
    ),
    ("other-patient", "VIHF d'un autre patient", "a VIHF about another patient", _other_patient),
)


def probes(wrapped: int) -> Iterator[Probe]:
    """All of them, with at most so many wrapped assertions: every shape before the second of one."""
    for name, french, english, made in _REFUSED:
        yield Probe(name=f"vihf.{name}", title_fr=french, title_en=english, failures=partial(_refused, made))
    for name, attribute in MANDATORY.items():
        yield Probe(
            name=f"vihf.without-{name}",
            title_fr=f"VIHF sans {attribute}",
            title_en=f"a VIHF without {attribute}",
            failures=partial(_refused, partial(_without, attribute)),
        )
    yield Probe(
        name="vihf.without-patient",
        title_fr="VIHF sans patient",
        title_en="a VIHF without a patient",
        failures=_without_patient,
    )
    for same_id, forged_first, shape in islice(product((True, False), (True, False), SHAPES), wrapped):
        place = f"{'same' if same_id else 'new'}-id-{'first' if forged_first else 'last'}"
        yield Probe(
            name=f"vihf.wrapped-{shape}-{place}",
            title_fr=f"assertion enveloppée : {shape}, {place}",
            title_en=f"a wrapped assertion: {shape}, {place}",
            failures=partial(_wrapped, shape, same_id, forged_first),
        )
    yield Probe(name="vihf.silent", title_fr="texte des refus", title_en="the text of refusals", failures=_silent)
