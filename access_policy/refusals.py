"""Why a caller or a signature is refused: for the audit record alone. The caller reads one constant text.

WSS SOAP Message Security 1.1.1: 12; ITI TF-2: 3.40.4.1.3.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Subcode(StrEnum):
    """What the SOAP fault says, all of it: a sender does not learn which check of trust failed."""

    INVALID_SECURITY = "InvalidSecurity"
    UNSUPPORTED_SECURITY_TOKEN = "UnsupportedSecurityToken"  # noqa: S105 - a fault code
    UNSUPPORTED_ALGORITHM = "UnsupportedAlgorithm"
    MESSAGE_EXPIRED = "MessageExpired"
    FAILED_AUTHENTICATION = "FailedAuthentication"


class Reason(Enum):
    """One check: its subcode, and what failed in English and French."""

    def __init__(self, subcode: Subcode, english: str, french: str) -> None:
        self.subcode, self.english, self.french = subcode, english, french

    NO_CERTIFICATE = (Subcode.FAILED_AUTHENTICATION, "no client certificate", "pas de certificat client")
    HEADER = (
        Subcode.INVALID_SECURITY,
        "not exactly one wsse:Security with one assertion in it",
        "il faut un seul wsse:Security, avec une seule assertion",
    )
    SIZE = (Subcode.INVALID_SECURITY, "the security header is too large", "l'en-tête de sécurité est trop grand")
    DUPLICATE_ID = (
        Subcode.INVALID_SECURITY,
        "the ID of the assertion is missing, malformed or used elsewhere in the message",
        "l'ID de l'assertion manque, est mal formé ou sert ailleurs dans le message",
    )
    TOKEN = (
        Subcode.UNSUPPORTED_SECURITY_TOKEN,
        "a kind of security token that is not taken",
        "type de jeton non accepté",
    )
    ALGORITHM = (
        Subcode.UNSUPPORTED_ALGORITHM,
        "an algorithm or transform outside the profile",
        "algorithme ou transformation hors profil",
    )
    TIMESTAMP = (Subcode.MESSAGE_EXPIRED, "the message has expired", "le message a expiré")
    SIGNATURE_SHAPE = (
        Subcode.FAILED_AUTHENTICATION,
        "the signature does not have the shape of the profile",
        "la signature n'a pas la forme du profil",
    )
    SIGNATURE = (Subcode.FAILED_AUTHENTICATION, "the signature is not valid", "la signature n'est pas valide")
    KEY = (
        Subcode.FAILED_AUTHENTICATION,
        "the key of the signature is missing or not the expected one",
        "la clé de la signature manque ou n'est pas celle attendue",
    )
    CHAIN = (
        Subcode.FAILED_AUTHENTICATION,
        "the certificate does not chain to a trusted authority, or is outside its validity",
        "le certificat ne remonte pas à une autorité de confiance, ou n'est pas en cours de validité",
    )
    REVOKED = (
        Subcode.FAILED_AUTHENTICATION,
        "the certificate is revoked, or no current revocation list says that it is not",
        "le certificat est révoqué, ou aucune CRL en cours ne dit le contraire",
    )
    CLIENT_USAGE = (
        Subcode.FAILED_AUTHENTICATION,
        "the client certificate is not one for authentication",
        "le certificat client n'est pas un certificat d'authentification",
    )
    SIGNER_USAGE = (
        Subcode.FAILED_AUTHENTICATION,
        "the certificate of the signature is not one for signatures",
        "le certificat de la signature n'est pas un certificat de signature",
    )
    ISSUER = (
        Subcode.FAILED_AUTHENTICATION,
        "the issuer is unknown or not the signer",
        "l'émetteur est inconnu ou n'est pas le signataire",
    )
    ASSERTION = (
        Subcode.FAILED_AUTHENTICATION,
        "the assertion lacks a part or has a malformed one",
        "une partie de l'assertion manque ou est mal formée",
    )
    TIME = (
        Subcode.FAILED_AUTHENTICATION,
        "outside the validity of the assertion",
        "hors de la période de validité de l'assertion",
    )
    AUDIENCE = (
        Subcode.FAILED_AUTHENTICATION,
        "the assertion is for another audience",
        "l'assertion est destinée à un autre service",
    )
    CONFIRMATION = (
        Subcode.FAILED_AUTHENTICATION,
        "the subject is not confirmed for this client",
        "le sujet n'est pas confirmé pour ce client",
    )
    ATTRIBUTE = (
        Subcode.FAILED_AUTHENTICATION,
        "an attribute is missing or has a value that is not allowed",
        "un attribut manque ou a une valeur non permise",
    )
    AGREEMENT = (
        Subcode.FAILED_AUTHENTICATION,
        "client certificate, signer and claims do not agree",
        "certificat client, signataire et attributs ne concordent pas",
    )
    DIRECTORY = (
        Subcode.FAILED_AUTHENTICATION,
        "structure, professional or software are not in the directory, or not as claimed",
        "structure, professionnel ou logiciel absents de l'annuaire, ou non conformes à celui-ci",
    )
    REPLAY = (
        Subcode.FAILED_AUTHENTICATION,
        "the assertion was used before, by another client or where reuse is off",
        "l'assertion a déjà servi, à un autre client ou sans réutilisation permise",
    )


@dataclass(eq=False)
class Refused(Exception):
    """A caller or a signature that is not taken. `detail` is for the audit record, never for the caller or a log."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.english}: {self.detail}" if self.detail else self.reason.english
