"""MTOM/XOP, both directions: a payload with octets beside it ⇄ multipart/related. RFC 2387, W3C XOP 1.0."""

import base64
import binascii
import email.message
import quopri
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import collapse_rfc2231_value
from functools import lru_cache
from urllib.parse import unquote

from lxml import etree

from conformance.failures import ExchangeFailed
from conformance.nist.vocabulary import XDS_B, XOP
from conformance.sentence import Sentence

ROOT_ID = "root@conformance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One MIME part; `content_id` without its angle brackets."""

    content_id: str
    content_type: str
    content: bytes


def attach_documents(payload: etree._Element, documents: Mapping[str, bytes], *, is_mtom: bool) -> list[Part]:
    """Give each `xds:Document` of these ids its octets: an xop:Include and a part, or inline base64."""
    parts = []
    for element in payload.iter(f"{{{XDS_B}}}Document"):
        content = documents.get(element.get("id", ""))
        if content is None:
            continue
        if is_mtom:
            part = Part(
                content_id=f"{uuid.uuid4()}@conformance", content_type="application/octet-stream", content=content
            )
            etree.SubElement(element, f"{{{XOP}}}Include", nsmap={"xop": XOP}, href=f"cid:{part.content_id}")
            parts.append(part)
        else:
            element.text = base64.b64encode(content).decode("ascii")
    return parts


def write_multipart(envelope: bytes, parts: Sequence[Part], *, action: str, boundary: str = "") -> tuple[str, bytes]:
    """Content-Type and body of an MTOM message; a new boundary unless one is given."""
    boundary = boundary or f"conformance-{uuid.uuid4()}"
    root_type = f'application/xop+xml; charset=UTF-8; type="application/soap+xml; action=\\"{action}\\""'
    pieces = [_written(boundary, Part(content_id=ROOT_ID, content_type=root_type, content=envelope))]
    pieces += [_written(boundary, part) for part in parts]
    content_type = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<{ROOT_ID}>"; '
        f'start-info="application/soap+xml"; action="{action}"'
    )
    return content_type, b"".join(pieces) + f"--{boundary}--\r\n".encode()


def _written(boundary: str, part: Part) -> bytes:
    head = (
        f"--{boundary}\r\nContent-Type: {part.content_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{part.content_id}>\r\n\r\n"
    )
    return head.encode() + part.content + b"\r\n"


def media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """The media type in lower case, and its parameters."""
    kind, *parameters = _media_parts(content_type)
    return kind[0], dict(parameters)


@lru_cache(maxsize=200)
def _media_parts(content_type: str) -> tuple[tuple[str, str], ...]:
    """The same few come with every message."""
    message = email.message.Message()
    message["Content-Type"] = content_type
    parameters = message.get_params(header="Content-Type", unquote=True) or [("", "")]
    return tuple(
        (name.lower(), value if isinstance(value, str) else collapse_rfc2231_value(value)) for name, value in parameters
    )


def read_multipart(parameters: Mapping[str, str], body: bytes) -> tuple[bytes, list[Part]]:
    """The root part and the others. Raises ExchangeFailed."""
    parts = list(split_parts(parameters.get("boundary", ""), body))
    if not parts:
        raise ExchangeFailed(
            Sentence("le message multipart ne contient aucune partie", "the multipart message holds no part")
        )
    start = parameters.get("start", "").strip("<>")
    root = parts[0] if not start else next((part for part in parts if part.content_id == start), None)
    if root is None:
        raise ExchangeFailed(
            Sentence(
                f"le message multipart n'a pas la partie {start} que nomme son paramètre start",
                f"the multipart message has no part {start}, which its start parameter names",
            )
        )
    return root.content, [part for part in parts if part is not root]


def split_parts(boundary: str, body: bytes) -> list[Part]:
    """All parts in their order, the root too. Raises ExchangeFailed."""
    if not boundary:
        raise ExchangeFailed(
            Sentence(
                "le Content-Type de le message multipart ne nomme pas de boundary",
                "the Content-Type of the multipart message names no boundary",
            )
        )
    marker = b"\r\n--" + boundary.encode()
    pieces = (b"\r\n" + body).split(marker)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise ExchangeFailed(
            Sentence(
                "le message multipart ne finit pas par son délimiteur de fin",
                "the multipart message does not end with its closing boundary",
            )
        )
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator:
        raise ExchangeFailed(
            Sentence(
                "l'en-tête d'une partie de le message multipart n'a pas de fin",
                "a part of the multipart message has no end of its header",
            )
        )
    headers = email.message_from_bytes(head.lstrip(b" \t\r\n") + b"\r\n\r\n")
    encoding = headers.get("Content-Transfer-Encoding", "binary").strip().lower()
    return Part(
        content_id=headers.get("Content-ID", "").strip().strip("<>"),
        content_type=headers.get("Content-Type", ""),
        content=_decoded(content, encoding),
    )


def _decoded(content: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.b64decode(content)
    return quopri.decodestring(content) if encoding == "quoted-printable" else content


def resolve_includes(envelope: etree._Element, parts: Sequence[Part]) -> None:
    """Put the octets of every xop:Include in its place, as base64. Raises ExchangeFailed."""
    for include in list(envelope.iter(f"{{{XOP}}}Include")):
        href, holder = include.get("href", ""), include.getparent()
        part = next((one for one in parts if _matches(href, one.content_id)), None)
        if part is None or holder is None:
            raise ExchangeFailed(
                Sentence(
                    f"le message inclut {href}, mais aucune partie n'a ce Content-ID",
                    f"the message includes {href}, but no part has this Content-ID",
                )
            )
        holder.remove(include)
        holder.text = base64.b64encode(part.content).decode("ascii")


def _matches(href: str, content_id: str) -> bool:
    wanted = href.removeprefix("cid:")
    return content_id in (wanted, unquote(wanted)) or unquote(content_id) == unquote(wanted)


def octets_of_base64(text: str) -> bytes | None:
    """The octets, white space allowed; None when it is no base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
