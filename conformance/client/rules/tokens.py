"""A token that is a JWT: what it says, compared with the message it came with. IUA 3.71, 3.72; RFC 7519, 9068.

Nothing of it is believed: the signature is for the server to verify, which knows the issuer.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.fhir_messages import SEARCHES, each, first, parameters_of, provided
from conformance.client.received import Received
from conformance.client.rules.patients import patient_of
from conformance.client.rules.rule import Rule, expected

_SKEW = timedelta(seconds=60)
_PATIENT = "extensions.ihe_bppc.patient_id"
PURPOSE = "extensions.ihe_iua.purpose_of_use.code"
_STRUCTURE = "extensions.ihe_iua.subject_organization_id"


def claims_of(authorization: str) -> Mapping[str, Any] | None:
    """The claims of a JWT in compact form; None for another token, nothing in them where they cannot be read."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or token.count(".") != 2:
        return None
    part = token.strip().split(".")[1]
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def token_of(received: Received) -> Mapping[str, Any] | None:
    """The claims of the JWT that a FHIR request shows; None for another token, or none."""
    return claims_of(received.headers.get("authorization", "")) if received.is_fhir else None


def _shows_jwt(exchange: Exchange) -> bool:
    """Another kind of token is judged by the rules on the VIHF."""
    return token_of(exchange.received) is not None


def _agrees(exchange: Exchange, _: Laboratory) -> Problems:
    claims = token_of(exchange.received) or {}
    for check in (_is_of_now, _is_for_this_server, _is_about_the_patient, _is_of_the_author):
        yield from check(claims, exchange)


def _is_of_now(claims: Mapping[str, Any], exchange: Exchange) -> Problems:
    now, issued, expires = exchange.time, _instant(claims.get("iat")), _instant(claims.get("exp"))
    if expires is None or expires < now - _SKEW:
        yield expected(str(claims.get("exp", "")), f"après {now:%H:%M:%S}Z", f"after {now:%H:%M:%S}Z", "exp")
    if issued is None or issued > now + _SKEW:
        yield expected(str(claims.get("iat", "")), f"avant {now:%H:%M:%S}Z", f"before {now:%H:%M:%S}Z", "iat")


def _instant(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _is_for_this_server(claims: Mapping[str, Any], exchange: Exchange) -> Problems:
    """By the address that the client itself called."""
    host = exchange.received.headers.get("host", "")
    named = [str(one) for one in each(claims, "aud")]
    if not any(urlsplit(one).netloc == host for one in named):
        yield expected(", ".join(named), f"https://{host}", f"https://{host}", "aud")


def _is_about_the_patient(claims: Mapping[str, Any], exchange: Exchange) -> Problems:
    told, asked = first(claims, _PATIENT).partition("^")[0], _patient(exchange)
    if asked and told != asked:
        yield expected(told, f"{asked}, le patient du message", f"{asked}, the patient of the message", _PATIENT)


def _patient(exchange: Exchange) -> str:
    if exchange.transaction not in SEARCHES:
        return patient_of(exchange)
    parameters = dict(parameters_of(exchange.received.path, exchange.received.body))
    return parameters.get("patient.identifier", "").rpartition("|")[2]


def _is_of_the_author(claims: Mapping[str, Any], exchange: Exchange) -> Problems:
    """Who submits, or the structure for which one does, is the source of the submission."""
    callers = {first(claims, name) for name in ("sub", "SubjectNameID", _STRUCTURE)} - {""}
    lists = [one.resource for one in provided(exchange.received.resource) if one.kind == "List"]
    named = {value for one in lists for part in ("source", "contained") for value in _identifiers(one.get(part))}
    if named and not named & callers:
        yield expected(", ".join(sorted(callers)), " / ".join(sorted(named)), " / ".join(sorted(named)), "sub")


def _identifiers(value: Any) -> Iterator[str]:
    """Every `identifier.value` within, whatever it is of."""
    if isinstance(value, list):
        for one in value:
            yield from _identifiers(one)
    elif isinstance(value, Mapping):
        yield from (str(one) for one in each(value, "identifier.value"))
        for one in value.values():
            yield from _identifiers(one)


RULES = (Rule(requirement="CLIENT-FHIR-16", applies=_shows_jwt, check=_agrees),)
