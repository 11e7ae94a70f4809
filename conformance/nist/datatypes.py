"""Formats of metadata values. ITI TF-3: 4.2.3.1.7. Each predicate takes one value, blanks around it cut off."""

import re
from collections.abc import Callable
from datetime import datetime

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+\Z")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*\Z")
_MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\Z")
_DTM_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_FORBIDDEN_FIELDS = frozenset((2, 4, 12, 19))

Predicate = Callable[[str], bool]


def is_oid(text: str) -> bool:
    return len(text) <= 64 and _OID.match(text) is not None


def is_uuid(text: str) -> bool:
    """A UUID URN in lower case."""
    return _UUID.match(text) is not None


def is_dtm(text: str) -> bool:
    """Four to fourteen digits of the calendar, UTC."""
    if not text.isascii() or not text.isdigit() or len(text) not in _DTM_FORMATS:
        return False
    try:
        datetime.strptime(text, _DTM_FORMATS[len(text)])  # noqa: DTZ007 - the value is only checked
    except ValueError:
        return False
    return True


def is_dtm_to_the_second(text: str) -> bool:
    return len(text) == 14 and is_dtm(text)


def is_authority(text: str) -> bool:
    """The HD of an assigning authority, `&OID&ISO`."""
    pieces = text.split("&")
    return len(pieces) == 3 and not pieces[0] and is_oid(pieces[1]) and pieces[2] == "ISO"


def is_cx(text: str) -> bool:
    """`id^^^&OID&ISO`."""
    parts = text.split("^")
    return len(parts) >= 4 and bool(parts[0]) and not any(parts[1:3]) and is_authority(parts[3]) and not any(parts[4:])


def is_cxi(text: str) -> bool:
    """`id^^^[&OID&ISO or namespace]^typeCode`; a sixth component, the home community, is let pass."""
    parts = text.split("^")
    return len(parts) in (5, 6) and bool(parts[0]) and not any(parts[1:3]) and bool(parts[4])


def is_xcn(text: str) -> bool:
    """An id or a family name; an authority only beside an id."""
    parts = text.rstrip("^").split("^")
    authority = parts[8] if len(parts) > 8 else ""
    if not (parts[0] or (len(parts) > 1 and parts[1])):
        return False
    return not authority or (bool(parts[0]) and is_authority(authority))


def is_xon(text: str) -> bool:
    """A name; an id in component 10, with its authority in component 6 unless it is an OID."""
    parts = text.split("^")
    authority = parts[5] if len(parts) > 5 else ""
    identifier = parts[9] if len(parts) > 9 else ""
    if not parts[0] or any(parts[1:5]) or any(parts[6:9]) or any(parts[10:]):
        return False
    return is_authority(authority) if authority else not identifier or is_oid(identifier)


def is_xtn(text: str) -> bool:
    """An Internet address or a telephone number."""
    parts = text.split("^") + [""] * 12
    if parts[2] == "Internet":
        return parts[1] in ("", "NET") and bool(parts[3])
    return parts[2] in ("PH", "CP", "") and parts[1] != "NET" and bool(parts[6] or parts[11] or parts[0])


def is_recipient(text: str) -> bool:
    """intendedRecipient, `XON|XCN|XTN`; at least one of them."""
    parts = [*text.split("|"), "", ""][:3]
    checks: tuple[Predicate, ...] = (is_xon, is_xcn, is_xtn)
    wrong = [part for check, part in zip(checks, parts, strict=True) if part and not check(part)]
    return text.count("|") <= 2 and any(parts) and not wrong


def is_patient_field(text: str) -> bool:
    """sourcePatientInfo, `PID-n|value`."""
    name, bar, _ = text.partition("|")
    number = name.removeprefix("PID-")
    return bool(bar) and name.startswith("PID-") and number.isdigit() and int(number) not in _FORBIDDEN_FIELDS


def is_language(text: str) -> bool:
    return _LANGUAGE.match(text) is not None


def is_sha1(text: str) -> bool:
    return re.match(r"[0-9A-Fa-f]{40}\Z", text) is not None


def is_integer(text: str) -> bool:
    return text.isascii() and text.isdigit()


def is_mime_type(text: str) -> bool:
    return _MIME_TYPE.match(text) is not None


def is_unique_id(text: str) -> bool:
    """DocumentEntry.uniqueId: opaque, at most 128 characters, none a control character."""
    return 0 < len(text) <= 128 and all(ord(one) >= 32 for one in text)


def is_anything(text: str) -> bool:
    return bool(text)
