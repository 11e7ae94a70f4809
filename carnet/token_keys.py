"""Where the keys of an issuer of tokens come from: a file, or the address that the settings name; never a token.

Keys from an address are fetched when they are first needed, kept ten minutes, and fetched again when a token names one
that is not there, twice a minute at most. An address that fails leaves the keys that were known.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import structlog

from access_policy.bearer_token import Key, read_keys
from carnet.elsewhere_settings import is_loopback
from carnet.exchange import connection_to
from carnet.reloading import Reloading
from carnet.settings import SettingsError

_KEPT_SECONDS, _PAUSE_SECONDS, _TIMEOUT = 600.0, 30.0, 5.0
_LARGEST = 64 * 1024
# The octets of a JWK Set. Raises OSError, HTTPException or ValueError.
Fetch = Callable[[], bytes]


class FileKeys:
    """`access_policy.token_authentication.KeysOf` from a file, read again when it changes."""

    def __init__(self, file: Path) -> None:
        """Raises SettingsError."""
        self._keys = Reloading(lambda: _read(file), (str(file),))

    def __call__(self, key_id: str) -> tuple[Key, ...]:
        return self._keys.current


def _read(file: Path) -> tuple[Key, ...]:
    try:
        return read_keys(file.read_bytes())
    except (OSError, ValueError) as problem:
        raise SettingsError(f"keys {file}: {problem}") from problem


class FetchedKeys:
    """`KeysOf` from an address. One thread fetches; the others go on with what is known."""

    def __init__(self, fetch: Fetch, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._seconds, self._turn = fetch, seconds, threading.Lock()
        self._keys: tuple[Key, ...] = ()
        self._tried = self._fetched = float("-inf")

    def __call__(self, key_id: str) -> tuple[Key, ...]:
        if self._is_wanting(key_id):
            with self._turn:
                if self._is_wanting(key_id):
                    self._renew()
        return self._keys

    def _is_wanting(self, key_id: str) -> bool:
        now = self._seconds()
        is_old = now - self._fetched > _KEPT_SECONDS
        is_missing = key_id != "" and all(one.kid != key_id for one in self._keys)
        return (is_old or is_missing) and now - self._tried > _PAUSE_SECONDS

    def _renew(self) -> None:
        self._tried = self._seconds()
        try:
            self._keys = read_keys(self._fetch())
            self._fetched = self._tried
        except (OSError, http.client.HTTPException, ValueError) as problem:
            structlog.get_logger().error("keys of tokens not fetched", problem=type(problem).__name__)


def fetch_from(url: str, authorities: Path | None) -> Fetch:
    """GET of an address of the settings: https, or http on loopback; no redirects. Raises SettingsError."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or (parts.scheme != "https" and not is_local):
        raise SettingsError(f"jwks_url: found {url}, expected https://…, or http on loopback")
    context = None
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    return lambda: _get(parts, context)


def _get(url: SplitResult, context: ssl.SSLContext | None) -> bytes:
    connection = connection_to(url, timeout=_TIMEOUT, context=context)
    try:
        query = f"?{url.query}" if url.query else ""
        connection.request("GET", f"{url.path or '/'}{query}", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        octets = answer.read(_LARGEST + 1)
    finally:
        connection.close()
    if answer.status != http.client.OK or len(octets) > _LARGEST:
        raise ValueError(f"answered {answer.status} with {len(octets)} octets")
    return octets
