"""The plain messages of the DMP's own services: named fields in, a status and more fields out. DMP 3, 4.

Requests are read by the local names of their fields, whatever namespace a sender gives them. Answers are qualified.
"""

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from dmp.refusal import RecordRefused, Refusal

HABILITATIONS, PATIENTS = "urn:si-dmp-habilitations", "urn:si-dmp-patients"
OK = "DMPOk"

Fields = Iterable[tuple[str, "str | Fields"]]


def read_fields(body: etree._Element, allowed: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Field -> value; an allowed field with values must have one of these. Raises RecordRefused."""
    found: dict[str, str] = {}
    for one in body.iterchildren("{*}*", "*"):
        name, value = etree.QName(one).localname, " ".join("".join(map(str, one.itertext())).split())
        if name not in allowed:
            raise RecordRefused(Refusal.WRONG_FIELD, f"found the field {name[:40]}, expected {', '.join(allowed)}")
        if name in found:
            raise RecordRefused(Refusal.WRONG_FIELD, f"{name}: found twice, expected once")
        if value and allowed[name] and value not in allowed[name]:
            expected = " or ".join(allowed[name])
            raise RecordRefused(Refusal.WRONG_FIELD, f"{name}: found {value[:40]!r}, expected {expected}")
        if value:
            found[name] = value
    return found


def required(fields: Mapping[str, str], name: str) -> str:
    """The value of a field that must be there. Raises RecordRefused."""
    if name not in fields:
        raise RecordRefused(Refusal.WRONG_FIELD, f"{name}: found none, expected one")
    return fields[name]


def write_answer(body: etree._Element, namespace: str, status: str, context: str, fields: Fields = ()) -> bytes:
    """`<…Response>` with status, context and further fields."""
    name = f"{etree.QName(body).localname}Response"
    told: Fields = [("status", status), ("context", context), *fields]
    return f"<{name} xmlns={quoteattr(namespace)}>{_written(told)}</{name}>".encode()


def _written(fields: Fields) -> str:
    return "".join(
        f"<{name}>{escape(value) if isinstance(value, str) else _written(value)}</{name}>" for name, value in fields
    )
