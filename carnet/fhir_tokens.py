"""Tokens at the FHIR door: the rules of the settings, the memory of uses, the authorities of client certificates."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from access_policy.authentication import check_client
from access_policy.bearer_token import read_token
from access_policy.caller import Caller
from access_policy.refusals import Refused
from access_policy.token_authentication import TokenAuthenticator, TokenRules
from access_policy.trust import Trust
from access_policy.vihf_attributes import Expected
from carnet.claims import Claim
from carnet.domains import INS_AUTHORITIES
from carnet.known_callers import directory_check
from carnet.settings import Settings
from carnet.token_issuers import read_issuers
from fhir_facade.security_statement import FhirSecurity
from storage.assertion_uses import StoredAssertionUses
from storage.unit_of_work import Units

_LONGEST = 256
# The caller of a token that a client with this certificate (DER) showed. Raises Refused.
CallerOfToken = Callable[[str, bytes | None], Caller]


def token_callers(settings: Settings, units: Units, trust: Callable[[], Trust]) -> CallerOfToken | None:
    """None where no issuer is configured. Raises SettingsError.

    Over mutual TLS the client certificate is checked as that of an assertion is; an open server asks for none.
    """
    if not settings.token_issuers:
        return None
    tokens = TokenAuthenticator(read_token_rules(settings), StoredAssertionUses(units), now=_now)
    check, asks = directory_check(settings, units), settings.security == "mtls"

    def caller_of(token: str, client: bytes | None) -> Caller:
        if asks:
            check_client(client, trust(), _now())
        caller = tokens.caller(token, hashlib.sha256(client or b"").digest())
        check(caller)
        return caller

    return caller_of


def read_token_rules(settings: Settings) -> TokenRules:
    """Raises SettingsError."""
    url = settings.public_url
    expected = Expected(patient_authorities=INS_AUTHORITIES) if settings.domain == "dmp" else None
    return TokenRules(
        issuers=read_issuers(Path(settings.token_issuers))[0],
        audiences=frozenset((url, f"{url}/fhir", *settings.audiences.split())),
        expected=expected,
        skew=timedelta(seconds=settings.clock_skew_seconds),
        longest=timedelta(hours=settings.assertion_hours),
        reuse_allowed=settings.assertion_reuse == "client",
    )


def fhir_security(settings: Settings) -> FhirSecurity:
    """What clients are told of it. Raises SettingsError."""
    servers = read_issuers(Path(settings.token_issuers))[1] if settings.token_issuers else ()
    return FhirSecurity(
        asks_proof=settings.security == "mtls",
        takes_tokens=settings.token_issuers != "",
        servers=servers,
        scope_status=int(settings.scope_refusal),
    )


def claim_of_token(token: str, claim: Claim) -> Claim:
    """What a token says of itself, for the record of its refusal alone."""
    try:
        found = read_token(token).claimed
    except Refused:
        return claim
    user, issuer = (str(found.get(name, ""))[:_LONGEST] for name in ("sub", "iss"))
    return replace(claim, user=user, issuer=issuer)


def _now() -> datetime:
    return datetime.now(UTC)
