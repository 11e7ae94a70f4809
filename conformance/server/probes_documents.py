"""Probes of what documents are taken: CDA of every form, of another patient, broken, incomplete, changed. CI-SIS 3.5"""

import re
from collections.abc import Iterator
from functools import partial

from conformance.population.bodies import forms
from conformance.population.documents import Document
from conformance.sentence import Sentence
from conformance.server.probe import Failures, Probe, expected
from conformance.server.target import Target

_HEADER = re.compile(rb"<legalAuthenticator>.*?</legalAuthenticator>", re.S)


def _accepted(form: int, target: Target) -> Failures:
    reply = target.feed(target.doctor, target.new_document(target.patient(), form))
    if reply.registry_status != "Success":
        yield expected(reply, "Success")


def _other_patient(target: Target) -> Failures:
    """The entry says one, the document another."""
    document = target.new_document(target.patient())
    other = target.patient("open-without-authorisation")
    content = document.content.replace(document.patient.ins.encode(), other.ins.encode())
    yield from _refused(target, document, content)


def _not_well_formed(target: Target) -> Failures:
    document = target.new_document(target.patient())
    yield from _refused(target, document, document.content[:-30])


def _without_header(target: Target) -> Failures:
    document = target.new_document(target.patient())
    yield from _refused(target, document, _HEADER.sub(b"", document.content))


def _same_id(target: Target) -> Failures:
    document = target.new_document(target.patient())
    first = target.feed(target.doctor, document)
    if first.registry_status != "Success":
        yield Sentence(
            f"le document n'a pas été pris la première fois : {first}",
            f"the document was not taken in the first place: {first}",
        )
        return
    yield from _refused(
        target, document, document.content.replace(b"</title>", b" (autre contenu)</title>"), may_warn=False
    )


def _refused(target: Target, document: Document, content: bytes, *, may_warn: bool = True) -> Failures:
    reply = target.feed(target.doctor, document, content)
    if not reply.is_refused and not (may_warn and reply.error_codes):
        warned = (" ou un avertissement", " or a warning") if may_warn else ("", "")
        yield expected(reply, f"Failure{warned[0]}", f"Failure{warned[1]}")


def probes() -> Iterator[Probe]:
    """One for each media type, then what must be refused."""
    for at, form in enumerate(forms()):
        kind = form.media_type.rpartition("/")[2]
        yield Probe(
            name=f"cda.accepted-{kind}",
            title_fr=f"CDA à corps {form.media_type}",
            title_en=f"a CDA with a body of {form.media_type}",
            failures=partial(_accepted, at),
        )
    for name, french, english, body in (
        ("other-patient", "document d'un autre patient", "a document of another patient", _other_patient),
        ("not-well-formed", "document mal formé", "a document that is not well formed", _not_well_formed),
        (
            "without-header",
            "document sans legalAuthenticator",
            "a document without legalAuthenticator",
            _without_header,
        ),
        ("same-id", "même identifiant, autre contenu", "the same identifier with other content", _same_id),
    ):
        yield Probe(name=f"cda.{name}", title_fr=french, title_en=english, failures=body)
