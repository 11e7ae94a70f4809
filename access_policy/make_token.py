"""Makes signed tokens for tests and demonstrations, forbidden values included. IUA 3.71; DMP 6.4."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from joserfc import jws
from joserfc.jwk import ECKey, JWKRegistry, KeyParameters, RSAKey

from access_policy import vihf_attributes as vihf
from access_policy.bearer_token import ALGORITHMS
from access_policy.caller import AuthenticationMode, PurposeOfUse
from xds.datatypes import CX, Code

_CIVIL_SECTOR = Code(code="SA07", coding_scheme="1.2.250.1.71.4.2.4")
_RSA_BITS = 2048
# Prefix of a Struct_IdNat -> where Pro Santé Connect has the number. DMP 8.5
_STRUCTURE_NUMBERS = {"1": "numeroFinessSite", "2": "numeroSirenSite", "3": "numeroSiretSite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a token shall say. `person_id` makes it one of a patient or a representative; `scopes` as they are written.

    `life` counts from now and may be negative; `certificate` binds the token to its holder (RFC 8705).
    """

    issuer: str
    subject: str
    audience: str
    client_id: str = "carnet"
    scopes: tuple[str, ...] = ()
    name: str = ""
    structure: str = ""
    roles: tuple[Code, ...] = ()
    sector: Code = _CIVIL_SECTOR
    mode: AuthenticationMode = AuthenticationMode.AIR
    purpose: PurposeOfUse = PurposeOfUse.NORMAL
    reason: str = ""
    patient_id: CX | None = None
    person_id: CX | None = None
    is_secret_connection: bool = False
    life: timedelta = timedelta(minutes=5)
    certificate: x509.Certificate | None = None


def new_keys(algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A private key (JWK), and the JWK Set that its tokens are verified with. Raises KeyError. RFC 7517"""
    kind, curve = ALGORITHMS[algorithm]
    parameters: KeyParameters = {"alg": algorithm, "use": "sig", "kid": uuid4().hex}
    key: RSAKey | ECKey = (
        RSAKey.generate_key(_RSA_BITS, parameters) if kind == "RSA" else ECKey.generate_key(curve, parameters)
    )
    return dict(key.as_dict(private=True)), {"keys": [dict(key.as_dict(private=False))]}


def sign_token(claims: Mapping[str, Any], key: Mapping[str, Any]) -> str:
    """A JWS in compact form, signed by a private key that names its algorithm. RFC 7515: 7.1"""
    header = {"alg": key["alg"], "kid": key["kid"], "typ": "at+jwt"}
    payload = json.dumps(claims, ensure_ascii=False)
    return jws.serialize_compact(header, payload, JWKRegistry.import_key(dict(key)), algorithms=[str(key["alg"])])


def token_claims(told: Told, *, now: datetime) -> dict[str, Any]:
    """The claims of IUA, with those that only the DMP has named as the attributes of a VIHF. IUA 3.71.4.1.2.1"""
    iua, bppc = dict(_iua(told)), {}
    if told.patient_id is not None:
        bppc = {"patient_id": told.patient_id.key}
    claims = _registered(told, now)
    claims["extensions"] = {"ihe_iua": iua} | ({"ihe_bppc": bppc} if bppc else {})
    if told.person_id is None:
        claims |= {vihf.MODE: str(told.mode), vihf.SECTOR: f"{told.sector.code}^{told.sector.coding_scheme}"}
    return claims | dict(_beside(told))


def userinfo_claims(told: Told, *, now: datetime) -> dict[str, Any]:
    """The same as Pro Santé Connect words it, which says nothing of the patient: that claim stays the one of IUA."""
    codes = [one.code for one in told.roles] + ["", ""]
    activity = {"codeSecteurDactivite": told.sector.code}
    if told.structure[:1] in _STRUCTURE_NUMBERS:
        activity[_STRUCTURE_NUMBERS[told.structure[0]]] = told.structure[1:]
    exercise = {"codeProfession": codes[0], "codeSavoirFaire": codes[1], "activities": [activity]}
    claims = _registered(told, now) | {
        "sub": f"f:{uuid4()}:{told.subject}",
        "SubjectNameID": told.subject,
        "name": told.name,
        "SubjectRole": [f"{codes[0]}^1.2.250.1.213.1.1.5.5"],
        "SubjectOrganizationID": f"R{told.structure}",
        "SubjectRefPro": {"exercices": [exercise]},
        "Acces_Regulation_Medicale": "VRAI" if told.purpose is PurposeOfUse.REGULATION else "FAUX",
    }
    if told.patient_id is not None:
        claims["extensions"] = {"ihe_bppc": {"patient_id": told.patient_id.key}}
    return claims | dict(_beside(told))


def _registered(told: Told, now: datetime) -> dict[str, Any]:
    """RFC 7519: 4.1; RFC 9068: 2.2"""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {"iss": told.issuer, "sub": told.subject, "aud": told.audience, "jti": str(uuid4())}
    claims |= {"client_id": told.client_id, "iat": issued, "exp": issued + int(told.life.total_seconds())}
    return claims | {"scope": " ".join(told.scopes)}


def _iua(told: Told) -> Iterator[tuple[str, Any]]:
    if told.name:
        yield "subject_name", told.name
    if told.person_id is not None:
        yield "person_id", told.person_id.key
        return
    yield "subject_organization_id", told.structure
    yield "subject_role", [_coding(one) for one in told.roles]
    yield "purpose_of_use", [_coding(Code(code=told.purpose, coding_scheme=vihf.PURPOSE_SYSTEMS[0]))]


def _beside(told: Told) -> Iterator[tuple[str, Any]]:
    if told.reason:
        yield vihf.REASON, told.reason
    if told.is_secret_connection:
        yield "confidentiality_code", f"{vihf.SECRET_CONNECTION.code}^{vihf.SECRET_CONNECTION.coding_scheme}"
    if told.certificate is not None:
        digest = told.certificate.fingerprint(hashes.SHA256())
        yield "cnf", {"x5t#S256": urlsafe_b64encode(digest).rstrip(b"=").decode()}


def _coding(code: Code) -> dict[str, str]:
    coding = {"system": f"urn:oid:{code.coding_scheme}", "code": code.code}
    return coding | ({"display": code.display_name} if code.display_name else {})
