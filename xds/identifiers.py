"""Grammar of OID, UUID and their URNs. ITI TF-3: 4.2.3.1.5, ITI TF-2x: B.6."""

import re
import uuid

OID_MAX_LENGTH = 64
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+\Z")
_UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
UUID_PREFIX = "urn:uuid:"
OID_PREFIX = "urn:oid:"


def is_oid(text: str) -> bool:
    """Dotted digits, first arc 0 to 2, no leading zeros, at most 64 characters."""
    return len(text) <= OID_MAX_LENGTH and _OID.match(text) is not None


def is_oid_urn(text: str) -> bool:
    return text.startswith(OID_PREFIX) and is_oid(text.removeprefix(OID_PREFIX))


def is_uuid_urn(text: str) -> bool:
    """`urn:uuid:` and a UUID in lower case; upper case is refused, not folded."""
    return _UUID_URN.match(text) is not None


def is_symbolic(identifier: str) -> bool:
    """An id that only means something inside its request. ITI TF-3: 4.2.1.2.1"""
    return not identifier.startswith(UUID_PREFIX)


def new_uuid_urn() -> str:
    return f"{UUID_PREFIX}{uuid.uuid4()}"


def new_oid() -> str:
    """An OID of the UUID arc 2.25. ITI TF-2x: B.6"""
    return f"2.25.{uuid.uuid4().int}"
