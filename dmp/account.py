"""The holder's web account: login, password as a digest, where one-time passwords go. DMP 1 (S16, S58), 3 (TD1.5)"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_LOGIN, _PASSWORD = 10, 16
_COST, _BLOCK, _LANES = 2**14, 8, 1
_LONGEST_ADDRESS = 254


class Channel(StrEnum):
    """How a one-time password reaches the holder."""

    SMS = "SMS"
    EMAIL = "EMAIL"


# What an address of a channel looks like, and how that is told: a number to call, a mailbox.
_ADDRESSES: Mapping[Channel, tuple[re.Pattern[str], str]] = {
    Channel.SMS: (re.compile(r"\+?[0-9](?:[ .-]?[0-9]){7,14}"), "a telephone number"),
    Channel.EMAIL: (re.compile(r"[^\s@]{1,64}@[^\s@.]+(?:\.[^\s@.]+)+"), "a mail address"),
}


def is_address(channel: Channel, text: str) -> bool:
    """Whether a one-time password can be sent there."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESSES[channel][0].fullmatch(text) is not None


def expected_address(channel: Channel) -> str:
    """What `is_address` expects, in words."""
    return _ADDRESSES[channel][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is kept of an account: `salt` and `password` are hexadecimal, `since` a DTM of 14 digits, UTC."""

    login: str
    salt: str
    password: str
    since: str

    def accepts(self, password: str) -> bool:
        """Whether this is the password."""
        return secrets.compare_digest(self.password, _digest(password, self.salt))


def new_account(now: str) -> tuple[Account, str]:
    """An account and its password, which is told once and kept nowhere."""
    password, salt = _drawn(_PASSWORD), secrets.token_hex(16)
    account = Account(login=_drawn(_LOGIN), salt=salt, password=_digest(password, salt), since=now)
    return account, password


def _drawn(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _digest(password: str, salt: str) -> str:
    """scrypt. RFC 7914"""
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=_COST, r=_BLOCK, p=_LANES).hex()
