"""Where the keys of an issuer of tokens come from: a file, or the address that the settings name; never a token.

Keys from an address are fetched when they are first needed, kept ten minutes, and fetched again when a token names one
that is not there, twice a minute at most. An address that fails leaves the keys that were known. Who needs a key that
is being fetched waits for it, as long as that may take.
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
from carnet.elsewhere_settings import scheme_of
from carnet.exchange import brief_exchange
from carnet.reloading import Reloading
from carnet.settings import SettingsError

_KEPT_SECONDS, _PAUSE_SECONDS, _TIMEOUT = 600.0, 30.0, 5.0
_LONGEST_WAIT = 3 * _TIMEOUT  # connection, handshake, answer
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
    """`KeysOf` from an address. One thread fetches; others go on with the key that they look for, or wait for it."""

    def __init__(self, fetch: Fetch, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._seconds, self._turn = fetch, seconds, threading.Lock()
        self._keys: tuple[Key, ...] = ()
        self._tried = self._fetched = float("-inf")

    def __call__(self, key_id: str) -> tuple[Key, ...]:
        if self._is_wanting(key_id) and self._turn.acquire(timeout=0 if self._has(key_id) else _LONGEST_WAIT):
            try:
                if self._is_wanting(key_id):
                    self._renew()
            finally:
                self._turn.release()
        return self._keys

    def _has(self, key_id: str) -> bool:
        return any(key_id in ("", one.kid) for one in self._keys)

    def _is_wanting(self, key_id: str) -> bool:
        now = self._seconds()
        is_old = now - self._fetched > _KEPT_SECONDS
        return (is_old or not self._has(key_id)) and now - self._tried > _PAUSE_SECONDS

    def _renew(self) -> None:
        try:
            self._keys = read_keys(self._fetch())
            self._fetched = self._seconds()
        except (OSError, http.client.HTTPException, ValueError) as problem:
            structlog.get_logger().error("keys of tokens not fetched", problem=type(problem).__name__)
        finally:
            self._tried = self._seconds()


def fetch_from(url: str, authorities: Path | None) -> Fetch:
    """GET of an address of the settings: https, or http on loopback; no redirects. Raises SettingsError."""
    if scheme_of(url) not in ("http", "https"):
        raise SettingsError(f"jwks_url: found {url}, expected https://…, or http on loopback")
    parts, context = urlsplit(url), None
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    return lambda: _get(parts, context)


def _get(url: SplitResult, context: ssl.SSLContext | None) -> bytes:
    accepted = {"Accept": "application/json"}
    status, octets = brief_exchange(url, "GET", seconds=_TIMEOUT, most=_LARGEST, headers=accepted, context=context)
    if status != http.client.OK or len(octets) > _LARGEST:
        raise ValueError(f"answered {status} with {len(octets)} octets")
    return octets
