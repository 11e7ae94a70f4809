"""The calls of a repository to its registry when they run apart: JSON over HTTP, told apart by path.

`POST /internal/registry/QUESTION` with `Authorization: Bearer SECRET`. A certificate of mutual TLS can stand in for the
secret: only `carnet.internal_door` asks for it, and only `carnet.registry_elsewhere` shows it.
"""

import json
from pathlib import Path
from typing import Any, NoReturn

import orjson

from carnet.settings import Settings, SettingsError

PREFIX = "/internal/registry"
KEEPER_PREFIX = "/internal/repository"
_SHORTEST_SECRET = 32
_OTHERS = 0o077


class BadCall(ValueError):
    """A body that is not a call; the text says what was found."""


def read_secret(settings: Settings) -> str:
    """The secret of the settings, empty without one. Raises SettingsError when it is short or others may read it."""
    if not settings.internal_secret_file:
        return ""
    file = Path(settings.internal_secret_file)
    try:
        secret = file.read_text(encoding="ascii").strip()
        mode = file.stat().st_mode
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"setting internal_secret_file: {file} cannot be read: {problem}") from problem
    if mode & _OTHERS:
        raise SettingsError(f"setting internal_secret_file: {file} can be read by others, expected chmod 600")
    if len(secret) < _SHORTEST_SECRET or not secret.isprintable() or " " in secret:
        raise SettingsError(
            f"setting internal_secret_file: {file}: expected one word of at least {_SHORTEST_SECRET} characters, "
            "for example of: openssl rand -hex 32"
        )
    return secret


def write_call(**told: Any) -> bytes:
    return orjson.dumps(told)


def read_call(body: bytes) -> dict[str, Any]:
    """A JSON object without doubled names. Raises BadCall."""
    try:
        found = json.loads(body, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise BadCall(f"expected JSON: {problem}") from None
    if not isinstance(found, dict):
        raise BadCall("expected a JSON object")
    return found


def texts(found: Any, name: str) -> list[str]:
    """A list of texts. Raises BadCall."""
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadCall(f"{name}: expected a list of texts")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadCall("found a name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise BadCall(f"found {name}")
