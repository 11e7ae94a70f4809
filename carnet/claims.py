"""What a message that is refused says of itself, for its audit record alone: nothing of it is believed.

ITI TF-2: 3.40.4.2: the record names the subject of the assertion, here marked as not verified.
"""

from dataclasses import dataclass

from lxml import etree

from access_policy.security_header import SAML
from carnet.actions import transaction_of_action
from soap.faults import ADDRESSING
from xds.xml import text_of

_ASSERTION, _ISSUER = f"{{{SAML}}}Assertion", f"{{{SAML}}}Issuer"
_NAME = f"{{{SAML}}}Subject/{{{SAML}}}NameID"
_ACTION = f"{{*}}Header/{{{ADDRESSING}}}Action"
_LONGEST = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """NameID and Issuer of the first assertion, and the transaction (`ITI-18`) asked for; empty where there is none."""

    user: str = ""
    issuer: str = ""
    transaction: str = ""


def claim_of(message: etree._Element, transaction: str = "") -> Claim:
    """What the message claims; its transaction is that of its action unless it is told."""
    assertion = next(message.iter(_ASSERTION), None)
    action = message.find(_ACTION)
    return Claim(
        user=_short(None if assertion is None else assertion.find(_NAME)),
        issuer=_short(None if assertion is None else assertion.find(_ISSUER)),
        transaction=transaction or transaction_of_action(_short(action)),
    )


def _short(element: etree._Element | None) -> str:
    return "" if element is None else text_of(element)[:_LONGEST]
