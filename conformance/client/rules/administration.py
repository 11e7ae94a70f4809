"""Messages about the record itself: TD0.2 to TD1.6. DMP 3."""

import re

from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.rules.patients import INS_OIDS
from conformance.client.rules.rule import Rule, among, child_text, expected, on
from conformance.client.rules.vihf_reading import vihf_of
from conformance.nist.xml import text_of

_DATE_TYPES = ("LASTAUTORIZATION", "LASTDOC")
_DATE = re.compile(r"[0-9]{14}")
_CONSENT = "CONSENTEMENT_OUVERTURE_DMP"
_REACTIVATION = "CONSENTEMENT_REACTIVATION_DMP"
_CHANNELS = {
    "EMAIL": (re.compile(r"[^@\s]+@[^@\s]+"), "une adresse de messagerie", "an address for mail"),
    "SMS": (re.compile(r"[0-9+]{10,15}"), "un numéro de téléphone", "a telephone number"),
}
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


def _wishes(exchange: Exchange) -> dict[str, str]:
    """Consents and oppositions by code."""
    payload = exchange.received.payload
    found = [] if payload is None else payload.findall(".//{*}administrativeObservation")
    given: dict[str, str] = {}
    for one in found:
        code, value = one.find("{*}code"), one.find("{*}value")
        name = "" if code is None else code.get("code", "")
        given[name] = "" if value is None else value.get("value", "") or text_of(value)
    return given


def _consents(exchange: Exchange, name: str) -> Problems:
    found = _wishes(exchange).get(name, "")
    if found != "true":
        yield expected(found, f"{name} = true", f"{name} = true", "administrativeObservation")


def _states_oppositions(exchange: Exchange, _: Laboratory) -> Problems:
    for name in _OPPOSITIONS:
        if name not in _wishes(exchange):
            yield expected("", name, name, "administrativeObservation")


def _brings_consents(exchange: Exchange, laboratory: Laboratory) -> Problems:
    yield from _consents(exchange, _CONSENT)
    yield from _states_oppositions(exchange, laboratory)


def _reactivates_with_consent(exchange: Exchange, _: Laboratory) -> Problems:
    yield from _consents(exchange, _REACTIVATION)


def _looks_by_traits(exchange: Exchange, _: Laboratory) -> Problems:
    payload, vihf = exchange.received.payload, vihf_of(exchange.received)
    if vihf is not None:
        yield from among(vihf.purpose, ("centre_15",), "PurposeOfUse")
    for name in ("livingSubjectName", "livingSubjectBirthTime", "livingSubjectAdministrativeGender"):
        if payload is None or payload.find(f".//{{*}}{name}/{{*}}value") is None:
            yield expected("", name, name, f"parameterList/{name}")


def _names_a_channel(exchange: Exchange, _: Laboratory) -> Problems:
    payload = exchange.received.payload
    kind, channel = child_text(payload, "type"), child_text(payload, "canal")
    yield from among(kind, tuple(_CHANNELS), "type")
    form = _CHANNELS.get(kind)
    if form is not None and not form[0].fullmatch(channel):
        yield expected(channel, form[1], form[2], "canal")


def _changes_a_channel(exchange: Exchange, laboratory: Laboratory) -> Problems:
    """What is removed needs no address."""
    action = child_text(exchange.received.payload, "action")
    yield from among(action, ("AJOUT", "MODIFICATION", "SUPPRESSION"), "patientOTPUpdate/action")
    if action == "SUPPRESSION":
        yield from among(child_text(exchange.received.payload, "type"), tuple(_CHANNELS), "type")
    else:
        yield from _names_a_channel(exchange, laboratory)


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
    Rule(requirement="CLIENT-ADM-09", applies=on("TD0.5"), check=_looks_by_traits),
    Rule(requirement="CLIENT-ADM-10", applies=on("TD1.2"), check=_reactivates_with_consent),
    Rule(requirement="CLIENT-ADM-11", applies=on("TD1.3b"), check=_states_oppositions),
    Rule(requirement="CLIENT-ADM-12", applies=on("TD1.5a"), check=_names_a_channel),
    Rule(requirement="CLIENT-ADM-13", applies=on("TD1.5b"), check=_changes_a_channel),
)
