"""Octets of a message as people read them: head, indented XML or JSON, documents named instead of shown."""

import json
import unicodedata

from conformance.nist.messages import shown_message
from conformance.nist.soap_client import HttpMessage

LINES, CHARACTERS = 1_500, 200_000
_KEPT = "\n\t"


def shown_octets(octets: bytes) -> str:
    """Text safe to read: nothing that hides, reorders or overprints other text; long ones cut, and said so."""
    head, blank, body = octets.partition(b"\r\n\r\n")
    if not blank or b":" not in head:
        return _cut(visible(octets.decode("utf-8", "replace").replace("\r", "\n")))
    message = http_message(head, body)
    text = _json(message) or shown_message(message)
    return _cut(visible(text.replace("\r\n", "\n")))


def http_message(head: bytes, body: bytes) -> HttpMessage:
    """A message from its octets, transfer coding undone already."""
    start, *lines = head.decode("utf-8", "replace").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    return HttpMessage(start_line=start, headers=headers, body=body)


def visible(text: str) -> str:
    """Control and format characters (bidirectional overrides among them) replaced by a visible sign."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in _KEPT or unicodedata.category(one) not in ("Cc", "Cf", "Cs") else "�" for one in text)


def _json(message: HttpMessage) -> str:
    if "json" not in message.header("Content-Type"):
        return ""
    try:
        body = json.dumps(json.loads(message.body), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return ""
    return "\n".join([message.start_line, *(f"{name}: {value}" for name, value in message.headers), "", body])


def _cut(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= LINES and len(text) <= CHARACTERS:
        return text
    kept = "\n".join(lines[:LINES])[:CHARACTERS]
    return f"{kept}\n… {len(lines)} lignes / lines, {len(text)} caractères / characters"
