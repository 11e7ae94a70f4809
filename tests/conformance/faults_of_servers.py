"""One fault for each requirement on servers that a probe judges."""

import re

from conformance.client.http_reading import Ask
from tests.conformance.faulty_servers import (
    DONE,
    FOUND,
    GIVEN,
    Act,
    Fault,
    Next,
    Place,
    answering,
    has,
    instead,
    is_about_another,
    is_known_without_assertion,
    is_of_another,
    is_old_or_new,
    is_query,
    is_signed_by_stranger,
    is_signed_to_authenticate,
    is_stranger,
    resized,
    rewriting,
    telling,
)

_UPDATE, _PROVIDE = "UpdateDocumentSet", "ProvideAndRegisterDocumentSetRequest"


def _found_with_500(ask: Ask, following: Next, place: Place) -> bytes:
    """A query is answered as it should be, but for the status of HTTP."""
    answer = following(ask)
    is_good = is_query(ask) and b"AdhocQueryResponse" in answer and answer != FOUND
    return re.sub(rb"^HTTP/1.1 200 [^\r]*", b"HTTP/1.1 500 Internal Server Error", answer) if is_good else answer


def _first_refused(ask: Ask, following: Next, place: Place) -> bytes:
    """The first submission after the start of the server is kept and answered with PartialSuccess."""
    answer = following(ask)
    if not has(_PROVIDE)(ask) or place.state.setdefault("first", ask) is not ask:
        return answer
    return resized(
        answer, lambda body: body.replace(b"ResponseStatusType:Success", b"ResponseStatusType:PartialSuccess")
    )


def _second_lost(ask: Ask, following: Next, place: Place) -> bytes:
    """The second document that is fed is never found."""
    found = re.search(rb'identificationScheme="urn:uuid:2e82c1f6[^>]+value="([^"]+)"', ask.body)
    if has(_PROVIDE)(ask) and found is not None:
        fed = place.state.setdefault("fed", [])
        fed.append(found[1])
    answer, fed = following(ask), place.state.get("fed", [])
    if not is_query(ask) or len(fed) < 2:
        return answer
    return resized(answer, lambda body: body.replace(fed[1], b"2.25.404"))


def _octet_changed(ask: Ask, following: Next, place: Place) -> bytes:
    answer = following(ask)
    at = answer.rfind(b"</ClinicalDocument>")
    if not has("RetrieveDocumentSetRequest")(ask) or at < 0:
        return answer
    return answer[: at - 1] + bytes([answer[at - 1] ^ 1]) + answer[at:]


def _names_patient(ask: Ask, following: Next, place: Place) -> bytes:
    """Whoever is refused by his assertion is told of whom it was."""
    answer, patient = following(ask), re.search(rb"resource-id[^>]*>\s*<[^>]+>(\d{15})", ask.body)
    if patient is None or b"Fault>" not in answer:
        return answer
    return resized(answer, lambda body: re.sub(rb"</(\w+:)?Text>", rb" (%s)\g<0>" % patient[1], body))


def _is_without(name: str) -> Act:
    def is_meant(ask: Ask) -> bool:
        return is_query(ask) and b"Assertion" in ask.body and f'"{name}"'.encode() not in ask.body

    return answering(is_meant, FOUND)


def _fault(requirement: str, what: str, act: Act | None = None, *, tls: str = "", tests: tuple[str, ...] = ()) -> Fault:
    return Fault(requirement=f"SERVER-{requirement}", what=what, act=act, tls=tls, tests=tests)


FAULTS: tuple[Fault, ...] = (
    _fault(
        "TLS-01",
        "answers a client that shows no certificate",
        answering(lambda ask: not ask.connection.certificate, FOUND),
        tls="no certificate",
    ),
    _fault("TLS-02", "answers a card of an unknown authority", instead(is_stranger, FOUND), tls="any authority"),
    _fault("TLS-03", "speaks TLS 1.1", tls="old protocol"),
    _fault("TLS-04", "chooses a suite without ECDHE in TLS 1.2", tls="no forward secrecy"),
    _fault(
        "SOAP-01",
        "calls a SOAP 1.1 envelope a fault of the sender",
        rewriting(has("schemas.xmlsoap.org/soap/envelope"), "VersionMismatch", "Sender"),
    ),
    _fault("SOAP-02", "answers a message with a DOCTYPE", answering(has("<!DOCTYPE"), FOUND)),
    _fault("SOAP-03", "passes over a header it must understand", answering(has("urn:kit:unknown"), FOUND)),
    _fault("SOAP-04", "answers an action it does not know", answering(has("<soap:Header", "NoSuchAction"), FOUND)),
    _fault(
        "SOAP-05",
        "shows a stack trace for XML that is cut",
        rewriting(
            lambda ask: is_query(ask) and b":Envelope>" not in ask.body,
            "</(\\w+:)?Text>",
            r"Traceback (most recent call last)\g<0>",
        ),
    ),
    _fault("SOAP-06", "takes any part for the root", answering(has("missing@kit"), DONE)),
    _fault("TD-01", "answers searches with HTTP 500", _found_with_500),
    _fault(
        "TD-02",
        "knows a record of everybody",
        rewriting(has("TEST_EXST"), 'queryResponseCode code="NF"', 'queryResponseCode code="OK"'),
    ),
    _fault("TD-03", "has another word for DMPOk", rewriting(has("setAuthorization"), ">DMPOk<", ">OK<")),
    _fault("TD-04", "lists records without their INS", rewriting(has("patientList"), r">\d{15}<", "><")),
    _fault(
        "TD-05",
        "has no administrative data of anybody",
        rewriting(has("CNSLT_DATA"), 'queryResponseCode code="OK"', 'queryResponseCode code="NF"'),
    ),
    _fault(
        "TD-06",
        "lists professionals without their identifier",
        rewriting(has("listAuthorizationByPatient"), r"<nationalId>[^<]*<", "<nationalId><"),
    ),
    _fault("TD-07", "answers the first submission with PartialSuccess", _first_refused),
    _fault("TD-08", "never finds the second document it was fed", _second_lost, tests=("td.feed", "td.search")),
    _fault("TD-09", "returns documents with one octet changed", _octet_changed),
    _fault("TD-10", "says Success to masking and masks nothing", answering(has(_UPDATE, "MASQUE_PS"), DONE)),
    _fault(
        "TD-11",
        "calls a record that exists already something else than DMPFound",
        rewriting(has("CREA_RD"), "DMPFound", "DMPExists"),
    ),
    _fault(
        "TD-12",
        "says Success to archiving and archives nothing",
        answering(has(_UPDATE, "NewStatus", "StatusType:Archived"), DONE),
    ),
    _fault(
        "TD-13",
        "gives candidates without a percentage",
        rewriting(has("PRPA_IN201305UV02"), r'(POURCENTAGE.*?value=")\d+"', r'\1high"'),
    ),
    _fault("TD-14", "keeps no address for mail", telling("mailto:probe[.]", "mailto:nobody.")),
    _fault(
        "TD-15",
        "creates a web account twice",
        rewriting(has("createPatientAccess"), "DMPPatientAccessAlreadyExists", "DMPOk"),
    ),
    _fault(
        "TD-16",
        "gives documents to employees",
        answering(has("SECRETARIAT_MEDICAL", "RetrieveDocumentSetRequest"), GIVEN),
    ),
    _fault(
        "TD-17",
        "says Success to what makes a document visible and changes nothing",
        answering(
            lambda ask: has(_UPDATE, "PreviousVersion")(ask) and b"MASQUE_PS" not in ask.body,
            DONE,
        ),
    ),
    _fault("VIHF-01", "answers without an assertion", instead(is_known_without_assertion, FOUND)),
    _fault(
        "VIHF-02",
        "answers an unsigned assertion",
        answering(lambda ask: is_query(ask) and b"Assertion" in ask.body and b"SignatureValue" not in ask.body, FOUND),
    ),
    _fault("VIHF-03", "does not verify digests", answering(has('displayName="changed"'), FOUND)),
    _fault("VIHF-04", "does not look at times", answering(is_old_or_new, FOUND)),
    _fault("VIHF-05", "trusts every authority that signs", instead(is_signed_by_stranger, FOUND)),
    _fault("VIHF-06", "takes every certificate for a signer's", instead(is_signed_to_authenticate, FOUND)),
    _fault(
        "VIHF-07",
        "answers when any of two assertions is signed",
        answering(lambda ask: is_query(ask) and len(re.findall(rb"<\w+:Assertion", ask.body)) > 1, FOUND),
    ),
    _fault("VIHF-08", "does not ask for the name of the software", _is_without("LPS_Nom")),
    _fault("VIHF-09", "answers about another patient than that of the assertion", answering(is_about_another, FOUND)),
    _fault("VIHF-10", "names the patient in its refusals", _names_patient),
    _fault(
        "CDA-01",
        "refuses documents with a picture",
        rewriting(has(_PROVIDE, 'mediaType="image/tiff"'), "ResponseStatusType:Success", "ResponseStatusType:Failure"),
    ),
    _fault("CDA-02", "takes documents of another patient", answering(is_of_another, DONE)),
    _fault(
        "CDA-03",
        "takes documents that are not well formed",
        answering(lambda ask: has("<ClinicalDocument")(ask) and b"</ClinicalDocument>" not in ask.body, DONE),
    ),
    _fault(
        "CDA-04",
        "takes documents without legalAuthenticator",
        answering(lambda ask: has("<ClinicalDocument")(ask) and b"<legalAuthenticator>" not in ask.body, DONE),
    ),
    _fault(
        "CDA-05", "takes another document under an identifier it has", answering(has("(autre contenu)</title>"), DONE)
    ),
    _fault(
        "MHD-04",
        "publishes something else than a CapabilityStatement",
        rewriting(has("/fhir/metadata"), "CapabilityStatement", "Conformance"),
    ),
    _fault(
        "MHD-05",
        "finds no documents of a patient",
        rewriting(has("DocumentReference?patient.identifier"), '"entry":', '"others":'),
    ),
    _fault(
        "MHD-06",
        "answers garbage without an OperationOutcome",
        rewriting(has("POST /fhir ", '"type":'), "OperationOutcome", "Basic"),
    ),
    _fault(
        "MHD-07",
        "answers an unknown resource without an OperationOutcome",
        rewriting(has("GET /fhir/DocumentReference/"), "OperationOutcome", "Basic"),
    ),
)
