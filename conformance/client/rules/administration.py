"""Messages about the record itself: TD0.2 to TD1.6. DMP 3."""

import re

from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.rules.patients import INS_OIDS
from conformance.client.rules.rule import Rule, among, child_text, expected, on
from conformance.nist.xml import text_of

_DATE_TYPES = ("LASTAUTORIZATION", "LASTDOC")
_DATE = re.compile(r"[0-9]{14}")
_CONSENT = "CONSENTEMENT_OUVERTURE_DMP"
_OPPOSITIONS = ("OPPOSITION_BRIS_DE_GLACE", "OPPOSITION_ACCES_URGENCE")


def _reason(exchange: Exchange) -> str:
    found = None if exchange.received.payload is None else exchange.received.payload.find(".//{*}reasonCode")
    return "" if found is None else found.get("code", "")


def _tests_existence(exchange: Exchange, _: Laboratory) -> Problems:
    yield from among(_reason(exchange), ("TEST_EXST",), "reasonCode/@code")
    payload = exchange.received.payload
    value = None if payload is None else payload.find(".//{*}patientIdentifier/{*}value")
    found = "" if value is None else value.get("root", "")
    if found not in INS_OIDS or value is None or not value.get("extension"):
        yield expected(found, "un INS", "an INS", "patientIdentifier/value")


def _sets_authorisation(exchange: Exchange, _: Laboratory) -> Problems:
    payload = exchange.received.payload
    yield from among(child_text(payload, "action"), ("AJOUT", "SUPPRESSION"), "setAuthorization/action")
    role = child_text(payload, "role")
    if role:
        yield from among(role, ("MEDECIN_TRAITANT",), "setAuthorization/role")


def _bounds_its_dates(exchange: Exchange, _: Laboratory) -> Problems:
    payload = exchange.received.payload
    start, kind = child_text(payload, "startDate"), child_text(payload, "dateType")
    if start and not _DATE.fullmatch(start):
        yield expected(start, "yyyyMMddHHmmss", "yyyyMMddHHmmss", "patientList/startDate")
    if kind or start:
        yield from among(kind, _DATE_TYPES, "patientList/dateType")


def _reads_data(exchange: Exchange, _: Laboratory) -> Problems:
    yield from among(_reason(exchange), ("CNSLT_DATA",), "reasonCode/@code")


def _asks_a_mode(exchange: Exchange, _: Laboratory) -> Problems:
    found = child_text(exchange.received.payload, "mode")
    yield from among(found, ("ACTIVE", "INTERDITE", "TOUTE"), "listAuthorizationByPatient/mode")


def _names_who_acts(exchange: Exchange, _: Laboratory) -> Problems:
    payload = exchange.received.payload
    author = None if payload is None else payload.find(".//{*}author//{*}assignedPerson/{*}name")
    for name in ("family", "given"):
        if not child_text(author, name):
            yield expected("", name, name, f"author//assignedPerson/name/{name}")


def _closes(exchange: Exchange, _: Laboratory) -> Problems:
    payload = exchange.received.payload
    yield from among(_reason(exchange), ("FERM",), "reasonCode/@code")
    if payload is None:
        return
    status = payload.find(".//{*}patient/{*}statusCode")
    yield from among("" if status is None else status.get("code", ""), ("terminated",), "patient/statusCode/@code")
    event = payload.find(".//{*}detectedIssueEvent")
    code = None if event is None else event.find("{*}code")
    yield from among("" if code is None else code.get("code", ""), ("FERMETURE_DEMANDE_PATIENT",), "detectedIssueEvent")
    if not child_text(event, "text"):
        yield expected("", "une raison", "a reason", "detectedIssueEvent/text")


def _brings_consents(exchange: Exchange, _: Laboratory) -> Problems:
    payload = exchange.received.payload
    found = [] if payload is None else payload.findall(".//{*}administrativeObservation")
    given: dict[str, str] = {}
    for one in found:
        code, value = one.find("{*}code"), one.find("{*}value")
        name = "" if code is None else code.get("code", "")
        given[name] = "" if value is None else value.get("value", "") or text_of(value)
    if given.get(_CONSENT) != "true":
        yield expected(given.get(_CONSENT, ""), f"{_CONSENT} = true", f"{_CONSENT} = true", "administrativeObservation")
    for name in _OPPOSITIONS:
        if name not in given:
            yield expected("", name, name, "administrativeObservation")


def _is_existence(exchange: Exchange) -> bool:
    return exchange.transaction == "TD0.2" and not _is_data(exchange)


def _is_data(exchange: Exchange) -> bool:
    """One message is for two transactions, told apart by the reason; a wrong one leaves what the step is about."""
    is_asked_for = exchange.transaction == "TD0.2" and exchange.step.expects == ("TD1.3a",)
    return exchange.transaction == "TD1.3a" or (is_asked_for and _reason(exchange) != "TEST_EXST")


RULES = (
    Rule(requirement="CLIENT-ADM-01", applies=_is_existence, check=_tests_existence),
    Rule(requirement="CLIENT-ADM-02", applies=on("TD0.3"), check=_sets_authorisation),
    Rule(requirement="CLIENT-ADM-03", applies=on("TD0.4"), check=_bounds_its_dates),
    Rule(requirement="CLIENT-ADM-04", applies=_is_data, check=_reads_data),
    Rule(requirement="CLIENT-ADM-05", applies=on("TD1.6"), check=_asks_a_mode),
    Rule(requirement="CLIENT-ADM-06", applies=on("TD1.1", "TD1.2", "TD1.3b", "TD1.4"), check=_names_who_acts),
    Rule(requirement="CLIENT-ADM-07", applies=on("TD1.4"), check=_closes),
    Rule(requirement="CLIENT-ADM-08", applies=on("TD1.1"), check=_brings_consents),
)
