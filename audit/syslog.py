"""An audit record as a syslog message, and its frame on a connection. RFC 5424: 6; RFC 5425: 4.3; ITI TF-2: 3.20."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_PRIORITY = 10 * 8 + 5  # facility security/authorization, severity notice
_MESSAGE_ID = "IHE+RFC-3881"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_LONGEST_HOST, _LONGEST_APPLICATION, _LONGEST_PROCESS = 255, 48, 128
_NIL = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """HOSTNAME, APP-NAME and PROCID of the header."""

    host: str
    application: str = "carnet"
    process_id: str = _NIL


def framed(origin: Origin, recorded: int, message: bytes) -> bytes:
    """`MSG-LEN SP SYSLOG-MSG`, the length in octets; `recorded` is microseconds since 1970.

    The same record makes the same octets whenever it is sent.
    """
    syslog = _header(origin, recorded).encode("ascii") + message
    return b"%d %s" % (len(syslog), syslog)


def _header(origin: Origin, recorded: int) -> str:
    host = _field(origin.host, _LONGEST_HOST)
    application = _field(origin.application, _LONGEST_APPLICATION)
    process = _field(origin.process_id, _LONGEST_PROCESS)
    return f"<{_PRIORITY}>1 {_timestamp(recorded)} {host} {application} {process} {_MESSAGE_ID} {_NIL} "


def _field(text: str, longest: int) -> str:
    return _UNPRINTABLE.sub("_", text)[:longest] or _NIL


def _timestamp(recorded: int) -> str:
    """RFC 3339, UTC, six digits of a second."""
    seconds, microseconds = divmod(recorded, 10**6)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{microseconds:06}Z"
