"""How the FHIR door says whom it serves: CapabilityStatement.rest.security, and the configuration of SMART.

FHIR R4 CapabilityStatement; SMART App Launch 2: 2.0.9
"""

from dataclasses import dataclass
from typing import Any

from access_policy.scopes import IUA_SCOPES
from fhir_facade.fhir_json import write_json

_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_RESOURCES = ("DocumentReference", "List", "Binary", "Patient", "AuditEvent")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenServer:
    """An authorisation server whose tokens are taken, as far as clients are told of it; empty where they are not."""

    issuer: str
    keys_url: str = ""
    authorize: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirSecurity:
    """`asks_proof`: client certificate and token are demanded. `takes_tokens`: a JWT is one, besides an assertion.

    `servers` are those with an endpoint for tokens; `scope_status` answers a token without the scope.
    """

    asks_proof: bool = False
    takes_tokens: bool = False
    servers: tuple[TokenServer, ...] = ()
    scope_status: int = 401


NOTHING_ASKED = FhirSecurity()


def rest_security(security: FhirSecurity) -> dict[str, Any] | None:
    """None for a server that asks nobody."""
    if not security.asks_proof and not security.takes_tokens:
        return None
    services = ["Certificates"] * security.asks_proof + ["OAuth", "SMART-on-FHIR"] * security.takes_tokens
    found: dict[str, Any] = {
        "cors": False,
        "service": [{"coding": [{"system": _SERVICE, "code": one}]} for one in services],
        "description": _description(security),
    }
    for server in security.servers[:1]:
        uris = [{"url": "token", "valueUri": server.token}]
        uris += [{"url": "authorize", "valueUri": server.authorize}] if server.authorize else []
        found["extension"] = [{"url": _OAUTH_URIS, "extension": uris}]
    return found


def _description(security: FhirSecurity) -> str:
    proofs = "a SAML 2.0 assertion in base64url (VIHF, XUA)" if security.asks_proof else "nothing"
    if security.takes_tokens:
        proofs += " or a JWT (IUA: RS256, PS256, ES256)"
    tls = "mutual TLS; " if security.asks_proof else ""
    return f"{tls}Authorization: Bearer with {proofs}; all but metadata"


def smart_configuration(security: FhirSecurity) -> bytes | None:
    """None where no authorisation server has endpoints that clients may be told."""
    for server in security.servers[:1]:
        found: dict[str, Any] = {
            "issuer": server.issuer,
            "token_endpoint": server.token,
            "grant_types_supported": ["client_credentials", *(["authorization_code"] if server.authorize else [])],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": [
                *IUA_SCOPES,
                *(f"{one}/{name}.rs" for name in _RESOURCES for one in ("patient", "user")),
            ],
            "capabilities": ["permission-patient", "permission-user", "permission-v1", "permission-v2"],
        }
        if server.keys_url:
            found["jwks_uri"] = server.keys_url
        if server.authorize:
            found["authorization_endpoint"] = server.authorize
        return write_json(found)
    return None
