"""When, for whom and by whom an assertion may be used. SAML Core: 2.4, 2.5, erratum E46; ITI TF-2: 3.40.4.1.2."""

from collections.abc import Collection
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from access_policy.assertion import Assertion, Confirmation
from access_policy.refusals import Reason, Refused

_METHODS = "urn:oasis:names:tc:SAML:2.0:cm:"
BEARER, HOLDER_OF_KEY = f"{_METHODS}bearer", f"{_METHODS}holder-of-key"
_CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
SMARTCARD_PKI = f"{_CLASSES}SmartcardPKI"
CONTEXT_CLASSES = frozenset(
    _CLASSES + name
    for name in (
        *("InternetProtocol", "InternetProtocolPassword", "Kerberos", "MobileOneFactorUnregistered"),
        *("MobileTwoFactorUnregistered", "MobileOneFactorContract", "MobileTwoFactorContract", "Password"),
        *("PasswordProtectedTransport", "PreviousSession", "X509", "PGP", "SPKI", "XMLDSig", "Smartcard"),
        *("SmartcardPKI", "SoftwarePKI", "Telephony", "NomadTelephony", "PersonalTelephony"),
        *("AuthenticatedTelephony", "SecureRemotePassword", "TLSClient", "TimeSyncToken", "unspecified"),
    )
)


def check_times(
    assertion: Assertion, *, now: datetime, skew: timedelta, longest: timedelta, life: timedelta | None
) -> datetime:
    """The end of the assertion's validity. Raises Refused.

    `life` counts from IssueInstant where NotOnOrAfter is absent; None demands NotBefore and NotOnOrAfter.
    """
    if life is None and (assertion.not_before is None or assertion.not_on_or_after is None):
        raise Refused(Reason.TIME, "expected NotBefore and NotOnOrAfter")
    if assertion.issue_instant > now + skew:
        raise Refused(Reason.TIME, "IssueInstant is in the future")
    if assertion.not_before is not None and now + skew < assertion.not_before:
        raise Refused(Reason.TIME, "not valid yet")
    end = assertion.not_on_or_after or assertion.issue_instant + (life or timedelta())
    if now - skew >= end:
        raise Refused(Reason.TIME, "expired")
    if end - assertion.issue_instant > longest:
        raise Refused(Reason.TIME, f"valid for more than {longest}")
    return end


def check_audience(assertion: Assertion, audiences: Collection[str], *, required: bool) -> None:
    """Every AudienceRestriction names one of our audiences; compared exactly. Raises Refused.

    A VIHF may carry a restriction that is not filled in: without `required` that is none at all. DMP 6.1
    """
    restrictions = [tuple(one for one in each if one) for each in assertion.audiences]
    if not required:
        restrictions = [one for one in restrictions if one]
    if required and not restrictions:
        raise Refused(Reason.AUDIENCE, "expected an AudienceRestriction")
    for restriction in restrictions:
        if not any(one in audiences for one in restriction):
            raise Refused(Reason.AUDIENCE, ", ".join(restriction)[:200])


def check_confirmation(
    assertion: Assertion,
    client: x509.Certificate,
    recipients: Collection[str],
    *,
    now: datetime,
    skew: timedelta,
    required: bool,
) -> None:
    """One confirmation holds: bearer for us, or a key that is the client's. Raises Refused."""
    if not assertion.confirmations and not required:
        return
    problems = [_confirmation_problem(one, client, recipients, now, skew) for one in assertion.confirmations]
    if not problems or all(problems):
        raise Refused(Reason.CONFIRMATION, "; ".join(problems)[:200] or "expected a SubjectConfirmation")


def _confirmation_problem(
    one: Confirmation, client: x509.Certificate, recipients: Collection[str], now: datetime, skew: timedelta
) -> str:
    """Empty when the confirmation holds."""
    if one.not_before is not None and now + skew < one.not_before:
        return "the confirmation is not valid yet"
    if one.not_on_or_after is not None and now - skew >= one.not_on_or_after:
        return "the confirmation has expired"
    if one.recipient is not None and one.recipient not in recipients:
        return "the confirmation names another recipient"
    if one.method == HOLDER_OF_KEY:
        return "" if _is_key_of(one, client) else "the key to be held is not the client's"
    return "" if one.method == BEARER else "the method is neither bearer nor holder-of-key"


def _is_key_of(one: Confirmation, client: x509.Certificate) -> bool:
    """Everything that is said of the key fits, and something is said."""
    said = []
    if one.certificate is not None:
        said.append(one.certificate == client.public_bytes(serialization.Encoding.DER))
    if one.rsa_key is not None:
        key = client.public_key()
        numbers = tuple(int.from_bytes(octets) for octets in one.rsa_key)
        said.append(isinstance(key, rsa.RSAPublicKey) and (key.public_numbers().n, key.public_numbers().e) == numbers)
    return bool(said) and all(said)
