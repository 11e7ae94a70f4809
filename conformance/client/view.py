"""What those who watch a certification are shown, in their language: one value for the terminal and the page."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from conformance.client.scenarios import People
from conformance.client.session import Seen, Session
from conformance.judgement import Finding, Verdict
from conformance.requirements import requirement

# Word -> French, English.
WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Certification d'un client", "Certification of a client"),
    "now": ("À faire maintenant", "To do now"),
    "expected": ("Attendu", "Expected"),
    "then": ("Ensuite", "Then"),
    "patient": ("Patient", "Patient"),
    "doctor": ("Utilisateur", "User"),
    "messages": ("Messages reçus", "Messages received"),
    "none": ("Rien n'est encore arrivé.", "Nothing has come yet."),
    "steps": ("Étapes", "Steps"),
    "next": ("Étape suivante", "Next step"),
    "skip": ("Passer l'étape", "Skip the step"),
    "yes": ("Oui", "Yes"),
    "no": ("Non", "No"),
    "done": (
        "Toutes les étapes sont faites. Le terminal dit où est le rapport.",
        "Every step is done. The terminal says where the report is.",
    ),
    "waiting": ("en attente", "waiting"),
    "arrived": ("arrivé", "arrived"),
    "right": ("conforme", "as it should be"),
    "wrong-one": ("écart", "problem"),
    "wrong": ("écarts", "problems"),
    "server": ("Adresse du serveur", "Address of the server"),
    "identities": ("Certificats du logiciel", "Certificates of the software"),
    "trust": ("Autorités à reconnaître", "Authorities to trust"),
    "token": ("Jeton (JWT) au lieu du VIHF, en FHIR", "Token (JWT) in place of the VIHF, over FHIR"),
    "page": ("Page de suivi", "Page of the run"),
    "setup": ("Réglages du logiciel", "Settings of the software"),
    "unknown": ("message inconnu", "unknown message"),
    "over": (
        "Le temps est écoulé (--minutes) : cette étape n'est pas jouée.",
        "The time is over (--minutes): this step is not played.",
    ),
    "not-played": ("Étapes non jouées", "Steps not played"),
    "not-taken": ("Étapes dont le serveur n'a rien accepté", "Steps in which the server accepted nothing"),
    "not-shown": ("Étapes qui n'ont pas montré ce qu'elles demandent", "Steps that did not show what they ask for"),
    "not-tested": ("Exigences non testées de ce fait", "Requirements not tested because of that"),
    "trouble": ("Le kit n'a pas pu tout conserver", "The kit could not keep everything"),
    "lost": ("Le kit ne répond plus.", "The kit answers no more."),
    "nothing": ("aucun message", "no message"),
    "success": ("réponse : succès", "answer: success"),
    "refused": ("réponse : refus", "answer: refusal"),
    "fault": ("réponse : erreur SOAP", "answer: SOAP fault"),
    "none-given": ("aucune réponse", "no answer"),
    "unreadable": ("réponse illisible", "unreadable answer"),
    "unrelated": ("réponse à une autre demande", "answer to another request"),
}
LANGUAGES = ("fr", "en")


def word(name: str, language: str) -> str:
    return WORDS[name][LANGUAGES.index(language)]


def setup(place: Mapping[str, str], language: str) -> list[dict[str, str]]:
    """Where the software connects and with what: `place` has values by the name of their word."""
    return [{"name": word(name, language), "value": value} for name, value in place.items()]


def wrong(count: int, language: str) -> str:
    """So many problems, in words."""
    return f"{count} {word('wrong' if count > 1 else 'wrong-one', language)}"


def state(session: Session, people: People, language: str, place: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Everything the page shows, as JSON takes it."""
    step = session.step
    return {
        "words": {name: word(name, language) for name in WORDS},
        "language": language,
        "setup": setup(place or {}, language),
        "steps": [
            {"key": one.key, "title": one.title.in_(language), "state": _state_of(session, number)}
            for number, one in enumerate(session.steps)
        ],
        "step": None if step is None else _step(session, people, language),
        "troubles": [one.text_en if language == "en" else one.text_fr for one in session.troubles],
        "messages": [_message(one, language) for one in reversed(session.seen[-50:])],
    }


def _state_of(session: Session, number: int) -> str:
    if number < len(session.done):
        done = session.done[number]
        if failures(session)[done.step] and not done.is_skipped:
            return "failed"
        return "passed" if done.is_whole else "skipped"
    return "now" if number == len(session.done) else "later"


def failures(session: Session) -> Counter[str]:
    """Step → failed findings."""
    counts: Counter[str] = Counter()
    for (step, _requirement, verdict), count in list(session.written.items()):
        if verdict is Verdict.FAILED:
            counts[step] += count
    return counts


def _step(session: Session, people: People, language: str) -> dict[str, Any]:
    step = session.step
    if step is None:
        return {}
    patient, doctor = people.patient(step.patient), people.doctor
    missing = session.missing
    question = "" if step.question is None else step.told(step.question.text, language)
    return {
        "key": step.key,
        "number": len(session.done) + 1,
        "count": len(session.steps),
        "title": step.title.in_(language),
        "do": step.told(step.do, language),
        "then": step.told(step.then, language),
        "patient": f"{patient.family} {patient.given}, INS {patient.ins}",
        "doctor": f"{doctor.family} {doctor.given}, PS_IdNat {doctor.id}, Struct_IdNat {people.structure.id}",
        "expects": [{"transaction": one, "arrived": one not in missing} for one in step.expects],
        "question": question,
        "ready": not missing and not session.is_to_be_refused,
    }


def _message(one: Seen, language: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "time": f"{one.time:%H:%M:%S}",
        "step": one.step,
        "transaction": one.transaction or word("unknown", language),
        "verdict": wrong(len(one.problems), language) if one.problems else word("right", language),
        "outcome": word("none-given" if one.outcome == "none" else one.outcome, language) if one.outcome else "",
        "problems": [_problem(finding, language) for finding in one.problems],
    }


def _problem(finding: Finding, language: str) -> dict[str, str]:
    told = requirement(finding.requirement)
    return {
        "requirement": finding.requirement,
        "rule": told.text_en if language == "en" else told.text_fr,
        "text": finding.text_en if language == "en" else finding.text_fr,
        "location": finding.location,
        "evidence": finding.evidence[:500],
    }
