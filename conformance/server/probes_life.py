"""Probes of the life of a record and of a document: created, closed, reactivated; fed by an employee, made visible,
archived, deleted. DMP 3, 8.7
"""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from conformance.population.people import patients
from conformance.population.value_sets import code
from conformance.sentence import Sentence
from conformance.server.probe import Failures, Probe, expected
from conformance.server.probes_record import ask_record, attribute_of
from conformance.server.record_requests import request_record
from conformance.server.target import Target
from conformance.server.update import APPROVED, ARCHIVED, DELETED, UPDATE, codes_of, shown, with_status


def _life(target: Target) -> Failures:
    """A person nobody knew: each step is answered, and twice the same is told so."""
    person = next(patients(uuid.uuid4().int >> 64, 1, datetime.now(UTC).date()))
    for transaction, wanted in (
        ("TD1.1", "AA"),
        ("TD1.1", "DMPFound"),
        ("TD1.4", "AA"),
        ("TD1.4", "DMPClosed"),
        ("TD1.2", "AA"),
    ):
        found = request_record(target, transaction, person)
        if found != wanted:
            yield expected(found, wanted, about=(transaction, transaction))
            return
    reply = ask_record(target, "TEST_EXST", person, "TD0.2")
    if attribute_of(reply, "queryResponseCode") != "OK":
        found = attribute_of(reply, "queryResponseCode") or str(reply)
        yield expected(found, "OK", about=("après sa réactivation", "after it was reactivated"))


def _status(target: Target) -> Failures:
    """By its author: archived, brought back, deleted; a search for approved documents finds it in between alone."""
    document = target.new_document(target.patient())
    fed = target.feed(target.doctor, document)
    before = target.search(target.doctor, document.patient)
    if document.unique_id.encode() not in before.body:
        yield Sentence(
            f"le document déposé ({fed}) est introuvable : {before}",
            f"the document that was fed ({fed}) is not found: {before}",
        )
        return
    for old, new, is_found in ((APPROVED, ARCHIVED, False), (ARCHIVED, APPROVED, True), (APPROVED, DELETED, False)):
        word = new.rpartition(":")[2]
        reply = target.call(
            target.registry,
            UPDATE,
            with_status(before, document, old, new),
            transaction="TD3.3c" if new == DELETED else "TD3.3d",
            patient=document.patient,
            caller=target.doctor,
        )
        if reply.registry_status != "Success":
            yield expected(reply, "Success", about=(f"vers {word}", f"to {word}"))
            return
        if (document.unique_id.encode() in target.search(target.doctor, document.patient).body) is not is_found:
            yield Sentence(
                f"un document {word} {'ne se trouve pas' if is_found else 'se trouve'} parmi les approuvés",
                f"a document that is {word} is {'not ' if is_found else ''}found among those that are approved",
            )


def _fed_by_employee(target: Target) -> Failures:
    """With the card of an employee, for the structure; a professional finds the document, the employee reads none."""
    document = target.new_document(target.patient())
    fed = target.feed(target.employee, document, transaction="TD2.2")
    if fed.registry_status != "Success":
        yield expected(fed, "Success")
        return
    if document.unique_id.encode() not in target.search(target.doctor, document.patient).body:
        yield Sentence(
            "un médecin autorisé ne trouve pas le document", "a doctor who is authorised does not find the document"
        )
    read = target.retrieve(target.employee, document)
    if read.envelope is not None and next(read.envelope.iter("{*}DocumentResponse"), None) is not None:
        yield Sentence(
            "l'employé a reçu le document, ce que TD3.2 ne lui ouvre pas",
            "the employee was given the document, which TD3.2 is not open to",
        )


def _show(target: Target) -> Failures:
    """Fed as invisible to the patient; a new version without that code makes it visible."""
    code_of = code("JDV_J58", "INVISIBLE_PATIENT")
    made = target.new_document(target.patient())
    document = replace(made, confidentiality=(*made.confidentiality, code_of))
    fed = target.feed(target.doctor, document)
    before = target.search(target.doctor, document.patient)
    if code_of.code not in codes_of(before, document):
        yield Sentence(
            f"le document invisible déposé ({fed}) ne se trouve pas avec son code : {before}",
            f"the invisible document that was fed ({fed}) is not found with its code: {before}",
        )
        return
    body = shown(before, document, code_of)
    reply = target.call(
        target.registry, UPDATE, body, transaction="TD3.3b", patient=document.patient, caller=target.doctor
    )
    found = codes_of(target.search(target.doctor, document.patient), document)
    if reply.registry_status != "Success":
        yield expected(reply, "Success")
    elif not found or code_of.code in found:
        yield expected(" ".join(found), f"sans {code_of.code}", f"without {code_of.code}")


PROBES = (
    Probe(
        name="td.life",
        title_fr="TD1.1, TD1.4, TD1.2 création, fermeture, réactivation",
        title_en="TD1.1, TD1.4, TD1.2 created, closed, reactivated",
        failures=_life,
    ),
    Probe(
        name="td.status",
        title_fr="TD3.3c, TD3.3d archivage, retour, suppression",
        title_en="TD3.3c, TD3.3d archived, brought back, deleted",
        failures=_status,
    ),
    Probe(
        name="td.feed-by-employee",
        title_fr="TD2.2 dépôt par le porteur d'une CPE",
        title_en="TD2.2 a document is fed with the card of an employee",
        failures=_fed_by_employee,
    ),
    Probe(
        name="td.show",
        title_fr="TD3.3b document rendu visible au patient",
        title_en="TD3.3b a document is made visible to the patient",
        failures=_show,
    ),
)
