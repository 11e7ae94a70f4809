"""Texts of HL7 version 2: its delimiters, and the escape sequences that stand for them. HL7 2.3.1 2.7, 2.9."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiters:
    """MSH-1 and MSH-2. HL7 2.3.1 2.7"""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def separators(self) -> tuple[str, ...]:
        return self.field, self.component, self.repetition, self.subcomponent


STANDARD_DELIMITERS = Delimiters()


def escape(text: str, delimiters: Delimiters = STANDARD_DELIMITERS) -> str:
    """One component of a message; characters that are no text are written as hexadecimal octets of UTF-8."""
    letters = {getattr(delimiters, name): letter for name, letter in _LETTERS.items()}

    def escaped(char: str) -> str:
        if char in letters:
            return f"{delimiters.escape}{letters[char]}{delimiters.escape}"
        if ord(char) < 0x20:
            return f"{delimiters.escape}X{ord(char):02X}{delimiters.escape}"
        return char

    return "".join(escaped(char) for char in text)


_LETTERS = {"field": "F", "component": "S", "repetition": "R", "escape": "E", "subcomponent": "T"}


def unescape(text: str, delimiters: Delimiters = STANDARD_DELIMITERS, codec: str = "utf-8") -> str:
    """The characters of a component. HL7 2.3.1 2.9

    Raises ValueError for an escape sequence that stands for no character: highlighting, a change of
    character set, formatting, a sequence that is not closed.
    """
    pieces = text.split(delimiters.escape)
    if len(pieces) % 2 == 0:
        raise ValueError("expected every escape sequence to be closed")
    characters = {letter: getattr(delimiters, name) for name, letter in _LETTERS.items()}
    return "".join(
        piece if number % 2 == 0 else _character(piece, characters, codec) for number, piece in enumerate(pieces)
    )


def _character(sequence: str, characters: dict[str, str], codec: str) -> str:
    if sequence in characters:
        return characters[sequence]
    if re.fullmatch(r"X([0-9A-Fa-f]{2})+", sequence):
        return bytes.fromhex(sequence[1:]).decode(codec)
    raise ValueError("found an escape sequence that stands for no character")
