"""Data types of metadata attributes. ITI TF-3: 4.2.3.1.7.

A value keeps the text of the wire, so that what comes in goes out; its components are views on
that text. `parse` raises ValueError with a sentence that names what was expected.
"""

import re
import unicodedata
from calendar import monthrange
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from xds.identifiers import is_oid

_ESCAPES = {"F": "|", "S": "^", "R": "~", "T": "&", "E": "\\"}
_ESCAPE = re.compile(r"\\([FSRTE])\\")
_ESCAPED = str.maketrans({char: f"\\{letter}\\" for letter, char in _ESCAPES.items()})


def escape(text: str) -> str:
    """HL7 v2 escaping of one component. ITI TF-3: 4.2.3.1.7"""
    return text.translate(_ESCAPED)


def unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES[match[1]], text)


def normalised(text: str) -> str:
    """The form in which strings are compared: NFC, case kept. ITI TF-2x: F"""
    return unicodedata.normalize("NFC", text)


def _assigner(namespace_and_id: str) -> str | None:
    """The OID of an HD `[namespace]&OID&ISO`, None when it is not one."""
    parts = namespace_and_id.split("&")
    if len(parts) == 3 and parts[2] == "ISO" and is_oid(parts[1]):
        return parts[1]
    return None


class LocalizedString(str):
    """A text with the language and charset it was sent with, and its wording in other languages. ebRIM: 2.7

    Where one text is asked for, it is the first. Two texts are compared without their languages.
    """

    __slots__ = ("charset", "language", "others")
    language: str
    charset: str
    others: tuple["LocalizedString", ...]

    def __new__(
        cls, text: str, *, language: str = "", charset: str = "", others: tuple["LocalizedString", ...] = ()
    ) -> Self:
        made = super().__new__(cls, text)
        made.language, made.charset, made.others = language, charset, others
        return made

    @property
    def wordings(self) -> tuple["LocalizedString", ...]:
        return (self, *self.others)


@dataclass(frozen=True)
class Composite:
    """An HL7 v2 composite as it stands on the wire, components numbered from 1."""

    text: str

    def __str__(self) -> str:
        return self.text

    @cached_property
    def components(self) -> tuple[str, ...]:
        return tuple(self.text.rstrip("^").split("^"))

    def component(self, number: int) -> str:
        """The unescaped component, empty when it is not there."""
        return unescape(self.raw_component(number))

    def raw_component(self, number: int) -> str:
        return self.components[number - 1] if number <= len(self.components) else ""


@dataclass(frozen=True)
class CX(Composite):
    """Identifier with its assigning authority, `id^^^&OID&ISO`. ITI TF-3: Table 4.2.3.1.7-2

    The DMP adds component 5 (identifier type) and, in old messages, dates in 7 and 8.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        value = cls(text)
        if not value.component(1):
            raise ValueError("expected CX id^^^&OID&ISO with an id in component 1")
        if value.raw_component(2) or value.raw_component(3):
            raise ValueError("expected CX id^^^&OID&ISO with components 2 and 3 empty")
        if _assigner(value.raw_component(4)) is None:
            raise ValueError("expected CX id^^^&OID&ISO with the assigning authority &OID&ISO in component 4")
        return value

    @classmethod
    def of(cls, *, id: str, authority: str, type_code: str = "") -> Self:
        suffix = f"^{escape(type_code)}" if type_code else ""
        return cls.parse(f"{escape(id)}^^^&{authority}&ISO{suffix}")

    @property
    def id(self) -> str:
        return self.component(1)

    @property
    def authority(self) -> str:
        """OID of the assigning authority."""
        return _assigner(self.raw_component(4)) or ""

    @property
    def type_code(self) -> str:
        return self.component(5)

    @property
    def is_plain(self) -> bool:
        """Components 1 and 4 only, and no namespace: the form IHE asks for."""
        return len(self.components) == 4 and self.raw_component(4).startswith("&")

    @property
    def key(self) -> str:
        """The form in which two identifiers are compared."""
        return f"{escape(normalised(self.id))}^^^&{self.authority}&ISO"


@dataclass(frozen=True)
class CXi(Composite):
    """Identifier with its type, `id^^^[&OID&ISO]^type`. ITI TF-3: Table 4.2.3.1.7-2"""

    @classmethod
    def parse(cls, text: str) -> Self:
        value = cls(text)
        if not value.component(1) or not value.component(5):
            raise ValueError("expected CXi id^^^&OID&ISO^type with components 1 and 5")
        if value.raw_component(2) or value.raw_component(3) or len(value.components) > 6:
            raise ValueError("expected CXi id^^^&OID&ISO^type with components 2 and 3 empty and nothing after 5")
        return value

    @property
    def id(self) -> str:
        return self.component(1)

    @property
    def authority(self) -> str:
        return _assigner(self.raw_component(4)) or self.component(4)

    @property
    def type_code(self) -> str:
        return self.component(5)


@dataclass(frozen=True)
class XCN(Composite):
    """Person, or system, with identifier and names. ITI TF-3: Table 4.2.3.1.7-2"""

    @classmethod
    def parse(cls, text: str) -> Self:
        value = cls(text)
        if not value.id and not value.family:
            raise ValueError("expected XCN with an id in component 1 or a family name in component 2")
        if value.raw_component(9) and (not value.id or value.raw_component(9).split("&")[-1] != "ISO"):
            raise ValueError("expected XCN with component 9 as &OID&ISO, and only beside an id")
        return value

    @property
    def id(self) -> str:
        return self.component(1)

    @property
    def family(self) -> str:
        return self.component(2)

    @property
    def given(self) -> str:
        return self.component(3)

    @property
    def further_given(self) -> str:
        return self.component(4)

    @property
    def suffix(self) -> str:
        return self.component(5)

    @property
    def prefix(self) -> str:
        return self.component(6)

    @property
    def authority(self) -> str:
        return _assigner(self.raw_component(9)) or ""

    @property
    def name_type(self) -> str:
        """`D` a person, `U` a system, in the DMP."""
        return self.component(10)


@dataclass(frozen=True)
class XON(Composite):
    """Organisation, `name^^^^^^^^^OID` or `name^^^^^&OID&ISO^^^^id`. ITI TF-3: Table 4.2.3.1.7-2"""

    @classmethod
    def parse(cls, text: str) -> Self:
        value = cls(text)
        if not value.name and not value.id:
            raise ValueError("expected XON with a name in component 1 or an id in component 10")
        if value.id and not value.raw_component(6) and not is_oid(value.id):
            raise ValueError("expected XON with an OID in component 10, or its authority &OID&ISO in component 6")
        return value

    @property
    def name(self) -> str:
        return self.component(1)

    @property
    def authority(self) -> str:
        return _assigner(self.raw_component(6)) or ""

    @property
    def id(self) -> str:
        return self.component(10)


@dataclass(frozen=True)
class XTN(Composite):
    """Telephone or electronic address. ITI TF-3: Table 4.2.3.1.7-2"""

    @classmethod
    def parse(cls, text: str) -> Self:
        value = cls(text)
        if value.equipment == "Internet":
            valid = value.use in ("", "NET") and bool(value.address)
        else:
            valid = bool(value.component(7) or value.component(12) or value.component(1))
        if not valid:
            raise ValueError("expected XTN ^^Internet^mail, or a telephone with a number in component 7 or 12")
        return value

    @property
    def use(self) -> str:
        return self.component(2)

    @property
    def equipment(self) -> str:
        """`Internet`, `PH`, `CP`."""
        return self.component(3)

    @property
    def address(self) -> str:
        return self.component(4)

    @property
    def number(self) -> str:
        """The telephone number as far as it is given: country, area, local part."""
        parts = (self.component(5) and f"+{self.component(5)}", self.component(6), self.component(7))
        return " ".join(part for part in parts if part) or self.component(12) or self.component(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded value. Display names carry no meaning and are never compared. ITI TF-3: 4.2.3.1.2"""

    code: str
    coding_scheme: str
    display_name: str = ""

    def __str__(self) -> str:
        return f"{self.code}^^{self.coding_scheme}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The form of stored query parameters, `code^^codingScheme`. ITI TF-2: 3.18.4.1.2.3.4"""
        code, _, scheme = text.partition("^^")
        if not code or not scheme or "^" in scheme or "^" in code:
            raise ValueError("expected code^^codingScheme")
        return cls(code=code, coding_scheme=scheme)


@dataclass(frozen=True, slots=True)
class DTM:
    """Date and time in UTC, `YYYY[MM[DD[hh[mm[ss]]]]]`. ITI TF-3: Table 4.2.3.1.7-2"""

    text: str

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) not in (4, 6, 8, 10, 12, 14) or not (text.isascii() and text.isdigit()) or not _is_calendar(text):
            raise ValueError("expected DTM YYYY[MM[DD[hh[mm[ss]]]]], a date of the calendar, without time zone")
        return cls(text)

    @property
    def earliest(self) -> str:
        """First second the value can mean, 14 digits."""
        return self.text + "00000101000000"[len(self.text) :]

    @property
    def latest(self) -> str:
        """Last second the value can mean, 14 digits."""
        text = self.text if len(self.text) > 4 else f"{self.text}12"
        if len(text) == 6:
            text += f"{monthrange(int(text[:4]), int(text[4:]))[1]:02}"
        return text + "00000000235959"[len(text) :]


def _is_calendar(text: str) -> bool:
    year, rest = int(text[:4]), [int(text[at : at + 2]) for at in range(4, len(text), 2)]
    month, day, hour, minute, second = rest + [1, 1, 0, 0, 0][len(rest) :]
    if year == 0 or not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        return False
    return hour < 24 and minute < 60 and second < 60
