"""The issuers of tokens, from a TOML file.

[[issuer]]
issuer = "https://auth.example.org/realms/sante"      # `iss`, to the letter
keys = "keys.json"                                    # JWK Set beside this file, or:
jwks_url = "https://auth.example.org/…/certs"         # where it is fetched; `authorities` = PEM of its server's issuers
audiences = ["carnet"]                                # `aud`, besides the server's own URLs
modes = ["INDIRECTE_RENFORCEE"]                       # how professionals may be authenticated; this is the default
patients = false                                      # whether it proves patients by their INS
authorization_endpoint = "https://…"                  # these two for /fhir/.well-known/smart-configuration
token_endpoint = "https://…"
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from access_policy.caller import AuthenticationMode
from access_policy.token_authentication import KeysOf, TokenIssuer
from carnet.settings import SettingsError
from carnet.token_keys import FetchedKeys, FileKeys, fetch_from
from fhir_facade.security_statement import TokenServer

_KEYS: dict[str, type] = {
    **dict.fromkeys(("issuer", "keys", "jwks_url", "authorities", "authorization_endpoint", "token_endpoint"), str),
    **dict.fromkeys(("audiences", "modes"), list),
    "patients": bool,
}
_MODES = [str(one) for one in AuthenticationMode]


def read_issuers(file: Path) -> tuple[tuple[TokenIssuer, ...], tuple[TokenServer, ...]]:
    """The issuers of a file, and the endpoints of those that name one. Raises SettingsError."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingsError(f"setting token_issuers: {file}: {problem}") from problem
    tables = found.get("issuer", [])
    if found.keys() - {"issuer"} or not isinstance(tables, list) or not tables:
        raise SettingsError(f"setting token_issuers: {file}: expected [[issuer]] tables and nothing else")
    for table in tables:
        for sentence in _problems(table):
            raise SettingsError(f"setting token_issuers: {file}: {sentence}")
    if len({one["issuer"] for one in tables}) != len(tables):
        raise SettingsError(f"setting token_issuers: {file}: found one issuer twice")
    issuers = tuple(_issuer(file.parent, one) for one in tables)
    return issuers, tuple(_server(one) for one in tables if one.get("token_endpoint"))


def _problems(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key not in _KEYS:
            yield f"unknown key {key}; known are {', '.join(_KEYS)}"
        elif not isinstance(value, _KEYS[key]):
            yield f"{key}: found {value!r}, expected {_KEYS[key].__name__}"
    if not table.get("issuer"):
        yield "issuer is missing"
    if bool(table.get("keys")) == bool(table.get("jwks_url")):
        yield "expected either keys, a file, or jwks_url"
    for one in table.get("modes", ()):
        if one not in _MODES:
            yield f"modes: found {one!r}, expected of {', '.join(_MODES)}"


def _issuer(folder: Path, table: dict[str, Any]) -> TokenIssuer:
    modes = table.get("modes", [AuthenticationMode.AIR])
    return TokenIssuer(
        issuer=table["issuer"],
        keys=_keys(folder, table),
        audiences=tuple(table.get("audiences", ())),
        modes=frozenset(AuthenticationMode(one) for one in modes),
        has_patients=table.get("patients", False),
    )


def _keys(folder: Path, table: dict[str, Any]) -> KeysOf:
    if "keys" in table:
        return FileKeys(folder / table["keys"])
    authorities = folder / table["authorities"] if "authorities" in table else None
    try:
        return FetchedKeys(fetch_from(table["jwks_url"], authorities))
    except OSError as problem:
        raise SettingsError(f"setting token_issuers: authorities {authorities}: {problem}") from problem


def _server(table: dict[str, Any]) -> TokenServer:
    return TokenServer(
        issuer=table["issuer"],
        keys_url=table.get("jwks_url", ""),
        authorize=table.get("authorization_endpoint", ""),
        token=table["token_endpoint"],
    )
