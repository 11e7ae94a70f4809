"""A JWT as it came: parts read strictly, the signature verified by a key known beforehand. RFC 7515, 7519, 8725.

Nothing in a token can name a key, a place to fetch one, or an algorithm outside the table.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from access_policy.refusals import Reason, Refused

Key = RSAKey | ECKey
# alg -> key type; of EC keys the curve. None of them has a secret that the server could sign with itself.
ALGORITHMS: Mapping[str, tuple[str, str]] = {
    "RS256": ("RSA", ""),
    "PS256": ("RSA", ""),
    "ES256": ("EC", "P-256"),
}
_LONGEST, _MOST_KEYS, _RSA_BITS = 16 * 1024, 100, 2048
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Header parameters that bring a key or change what is signed. RFC 8725 3.10
_FORBIDDEN = frozenset({"jwk", "jku", "x5c", "x5u", "crit", "b64", "enc", "zip"})
_TYPES = ("jwt", "at+jwt", "application/at+jwt", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of which nothing is verified. `claimed` is for finding its issuer and for audit records alone."""

    text: str
    algorithm: str
    key_id: str
    claimed: Mapping[str, Any]


def is_jwt(text: str) -> bool:
    """Whether it has the two dots of a JWS; an assertion in base64url has none."""
    return text.count(".") == 2


def read_token(text: str) -> Token:
    """Raises Refused."""
    if len(text) > _LONGEST or not _COMPACT.fullmatch(text):
        raise Refused(Reason.TOKEN, "no JWS in compact form")
    head, body, _ = text.split(".")
    header = _object(_octets(head), "the header")
    algorithm, key_id, kind = (header.get(name, "") for name in ("alg", "kid", "typ"))
    if not all(isinstance(one, str) for one in (algorithm, key_id, kind)):
        raise Refused(Reason.TOKEN, "alg, kid or typ is no text")
    if algorithm not in ALGORITHMS:
        raise Refused(Reason.ALGORITHM, f"alg {algorithm[:20]}, expected one of {', '.join(ALGORITHMS)}")
    brought = _FORBIDDEN & header.keys()
    if brought:
        raise Refused(Reason.KEY, f"the header has {', '.join(sorted(brought))}")
    if kind.lower() not in _TYPES:
        raise Refused(Reason.TOKEN, f"typ {kind[:20]}")
    return Token(text=text, algorithm=algorithm, key_id=key_id, claimed=_object(_octets(body), "the payload"))


def verify_token(token: Token, keys: Iterable[Key]) -> tuple[Mapping[str, Any], Key]:
    """The claims that one of these keys signed, read from the verified octets, and the key. Raises Refused."""
    fitting = list(_fitting(token, keys))
    if not fitting:
        raise Refused(Reason.KEY, "no key of the issuer has this kid and fits the algorithm")
    registry = jws.JWSRegistry(algorithms=[token.algorithm], strict_check_header=False)
    for key in fitting:
        try:
            verified = jws.deserialize_compact(token.text, key, registry=registry)
        except (JoseError, ValueError):
            continue
        return _object(verified.payload, "the payload"), key
    raise Refused(Reason.SIGNATURE, "by none of the keys of the issuer")


def _fitting(token: Token, keys: Iterable[Key]) -> Iterator[Key]:
    kind, curve = ALGORITHMS[token.algorithm]
    for key in keys:
        named = key.dict_value
        is_fit = key.key_type == kind and (not isinstance(key, ECKey) or key.curve_name == curve)
        is_named = token.key_id in ("", named.get("kid", token.key_id))
        if is_fit and is_named and named.get("alg", token.algorithm) == token.algorithm:
            yield key


def read_keys(octets: bytes) -> tuple[Key, ...]:
    """The public keys for signatures of a JWK Set. Raises ValueError. RFC 7517: 5

    Keys of other kinds are passed over, as the RFC wants; a secret or a private key is refused: it is in a wrong place.
    """
    found = json.loads(octets)
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError("expected a JWK Set: an object with an array `keys`")
    if len(listed) > _MOST_KEYS:
        raise ValueError(f"found {len(listed)} keys, expected {_MOST_KEYS} at most")
    keys = tuple(_public_keys(listed))
    if not keys:
        raise ValueError("found no RSA or EC key for signatures")
    return keys


def _public_keys(listed: Sequence[Mapping[str, Any]]) -> Iterator[Key]:
    for one in listed:
        if one.get("kty") == "oct" or "d" in one:
            raise ValueError("found a secret or private key, expected public keys")
        if one.get("kty") not in ("RSA", "EC") or one.get("use", "sig") != "sig":
            continue
        yield _public_key(one)


def _public_key(one: Mapping[str, Any]) -> Key:
    try:
        key = RSAKey.import_key(dict(one)) if one["kty"] == "RSA" else ECKey.import_key(dict(one))
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error) as problem:
        raise ValueError(f"key {str(one.get('kid', ''))[:60]}: {type(problem).__name__}") from None
    if isinstance(key, RSAKey) and key.public_key.key_size < _RSA_BITS:
        raise ValueError(f"found an RSA key of {key.public_key.key_size} bits, expected {_RSA_BITS} at least")
    return key


def _octets(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise Refused(Reason.TOKEN, "a part is no base64url") from None


def _object(octets: bytes, what: str) -> Mapping[str, Any]:
    """A JSON object whose names occur once: two readers must not read two things. RFC 8725 2.4"""
    try:
        found = json.loads(octets.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(Reason.TOKEN, f"{what} is no JSON object with names that occur once") from None
    if not isinstance(found, dict):
        raise Refused(Reason.TOKEN, f"{what} is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
