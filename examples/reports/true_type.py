"""A TrueType font cut down to the characters of one text, ready to embed. OpenType 1.9: glyf, loca, cmap

Standard library only. Hinting is dropped: a page is read at sizes where it does not matter.
"""

import struct
from dataclasses import dataclass

_ARGUMENTS_ARE_WORDS, _HAS_SCALE, _MORE_COMPONENTS, _HAS_TWO_SCALES, _HAS_MATRIX, _HAS_INSTRUCTIONS = (
    0x0001,
    0x0008,
    0x0020,
    0x0040,
    0x0080,
    0x0100,
)
_CHECKSUM_MAGIC = 0xB1B0AFBA


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Measures in thousandths of the font size, as a PDF wants them."""

    ascent: int
    descent: int
    box: tuple[int, int, int, int]
    widths: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """The font program of the subset and its measures."""

    program: bytes
    metrics: Metrics


class Font:
    """A font file, its tables by tag."""

    def __init__(self, file: bytes) -> None:
        count = struct.unpack_from(">H", file, 4)[0]
        entries = [struct.unpack_from(">4sLLL", file, 12 + 16 * number) for number in range(count)]
        self.tables = {tag.decode(): file[start : start + length] for tag, _, start, length in entries}
        self.units, self.box = self._read_head()
        self.ascent, self.descent = struct.unpack_from(">hh", self.tables["hhea"], 4)
        self._glyphs_at = self._read_loca()
        self._glyph_of = _read_cmap(self.tables["cmap"])

    def _read_head(self) -> tuple[int, tuple[int, int, int, int]]:
        head = self.tables["head"]
        left, bottom, right, top = struct.unpack_from(">hhhh", head, 36)
        return struct.unpack_from(">H", head, 18)[0], (left, bottom, right, top)

    def _read_loca(self) -> tuple[int, ...]:
        loca, is_long = self.tables["loca"], struct.unpack_from(">h", self.tables["head"], 50)[0]
        if is_long:
            return struct.unpack(f">{len(loca) // 4}L", loca)
        return tuple(2 * half for half in struct.unpack(f">{len(loca) // 2}H", loca))

    def glyph_of(self, character: str) -> int:
        """The glyph number of a character. KeyError when the font does not draw it."""
        return self._glyph_of[ord(character)]

    def outline(self, glyph: int) -> bytes:
        return self.tables["glyf"][self._glyphs_at[glyph] : self._glyphs_at[glyph + 1]]

    def advance(self, glyph: int) -> tuple[int, int]:
        """Advance width and left side bearing."""
        count = struct.unpack_from(">H", self.tables["hhea"], 34)[0]
        hmtx = self.tables["hmtx"]
        if glyph < count:
            width, bearing = struct.unpack_from(">Hh", hmtx, 4 * glyph)
            return width, bearing
        width = struct.unpack_from(">H", hmtx, 4 * (count - 1))[0]
        return width, struct.unpack_from(">h", hmtx, 4 * count + 2 * (glyph - count))[0]


def _read_cmap(cmap: bytes) -> dict[int, int]:
    """The Unicode map, format 4: characters of the basic plane."""
    for number in range(struct.unpack_from(">H", cmap, 2)[0]):
        platform, encoding, start = struct.unpack_from(">HHL", cmap, 4 + 8 * number)
        if (platform, encoding) == (3, 1) and struct.unpack_from(">H", cmap, start)[0] == 4:
            return _read_segments(cmap[start:])
    raise ValueError("the font has no Unicode map of format 4")


def _read_segments(table: bytes) -> dict[int, int]:
    count = struct.unpack_from(">H", table, 6)[0] // 2
    ends, starts, deltas, ranges = (
        struct.unpack_from(f">{count}H", table, 14 + 2 * count * part + (2 if part else 0)) for part in range(4)
    )
    glyphs: dict[int, int] = {}
    for segment in range(count):
        for code in range(starts[segment], min(ends[segment], 0xFFFE) + 1):
            glyph = code
            if ranges[segment]:
                at = 16 + 6 * count + 2 * segment + ranges[segment] + 2 * (code - starts[segment])
                glyph = struct.unpack_from(">H", table, at)[0]
            glyphs[code] = (glyph + deltas[segment]) & 0xFFFF
    return glyphs


def subset(font: Font, characters: set[str]) -> Subset:
    """The font with these characters and nothing else. KeyError when it does not draw one of them."""
    glyph_of = {character: font.glyph_of(character) for character in sorted(characters)}
    kept = _with_components(font, [0, *glyph_of.values()])
    new_number = {old: new for new, old in enumerate(kept)}
    outlines = [_padded(_renumbered(font.outline(old), new_number)) for old in kept]
    starts = [sum(map(len, outlines[:number])) for number in range(len(outlines) + 1)]
    advances = [font.advance(old) for old in kept]
    tables = {
        "cmap": _cmap({ord(character): new_number[old] for character, old in glyph_of.items()}),
        "glyf": b"".join(outlines),
        "head": font.tables["head"][:8] + bytes(4) + font.tables["head"][12:50] + struct.pack(">hh", 1, 0),
        "hhea": font.tables["hhea"][:34] + struct.pack(">H", len(kept)),
        "hmtx": b"".join(struct.pack(">Hh", *advance) for advance in advances),
        "loca": struct.pack(f">{len(starts)}L", *starts),
        "maxp": font.tables["maxp"][:4] + struct.pack(">H", len(kept)) + font.tables["maxp"][6:],
        "post": struct.pack(">LLhhLLLLL", 0x00030000, 0, -100, 50, 0, 0, 0, 0, 0),
    }
    return Subset(program=_file(tables), metrics=_metrics(font, glyph_of))


def _metrics(font: Font, glyph_of: dict[str, int]) -> Metrics:
    def thousandths(units: int) -> int:
        return round(units * 1000 / font.units)

    left, bottom, right, top = map(thousandths, font.box)
    return Metrics(
        ascent=thousandths(font.ascent),
        descent=thousandths(font.descent),
        box=(left, bottom, right, top),
        widths={character: thousandths(font.advance(glyph)[0]) for character, glyph in glyph_of.items()},
    )


def _with_components(font: Font, glyphs: list[int]) -> list[int]:
    """The glyphs and those they are put together from, each once."""
    kept = dict.fromkeys(glyphs)
    queue = list(kept)
    while queue:
        for _, component, _ in _components(font.outline(queue.pop())):
            if component not in kept:
                kept[component] = None
                queue.append(component)
    return list(kept)


def _components(outline: bytes) -> list[tuple[int, int, int]]:
    """Offset, glyph number and flags of each component of a composite glyph."""
    if len(outline) < 10 or struct.unpack_from(">h", outline)[0] >= 0:
        return []
    found, at, flags = [], 10, _MORE_COMPONENTS
    while flags & _MORE_COMPONENTS:
        flags, component = struct.unpack_from(">HH", outline, at)
        found.append((at, component, flags))
        at += 8 if flags & _ARGUMENTS_ARE_WORDS else 6
        at += 2 * bool(flags & _HAS_SCALE) + 4 * bool(flags & _HAS_TWO_SCALES) + 8 * bool(flags & _HAS_MATRIX)
    return found


def _renumbered(outline: bytes, new_number: dict[int, int]) -> bytes:
    """The outline without its instructions, components under their new numbers."""
    components = _components(outline)
    if not components:
        return _without_instructions(outline)
    changed = bytearray(outline)
    for at, component, flags in components:
        struct.pack_into(">HH", changed, at, flags & ~_HAS_INSTRUCTIONS, new_number[component])
    return bytes(changed)


def _without_instructions(outline: bytes) -> bytes:
    if not outline:
        return outline
    at = 10 + 2 * struct.unpack_from(">h", outline)[0]
    length = struct.unpack_from(">H", outline, at)[0]
    return outline[:at] + bytes(2) + outline[at + 2 + length :]


def _padded(table: bytes) -> bytes:
    return table + bytes(-len(table) % 4)


def _cmap(glyph_of: dict[int, int]) -> bytes:
    """A Unicode map of format 4, one segment for each character."""
    codes = sorted(glyph_of)
    ends = [*codes, 0xFFFF]
    deltas = [*((glyph_of[code] - code) & 0xFFFF for code in codes), 1]
    count = len(ends)
    power = 1 << (count.bit_length() - 1)
    search = (2 * power, power.bit_length() - 1, 2 * count - 2 * power)
    body = struct.pack(f">{count}HH{count}H{count}H{count}H", *ends, 0, *ends, *deltas, *[0] * count)
    table = struct.pack(">HHHHHHH", 4, 14 + len(body), 0, 2 * count, *search) + body
    return struct.pack(">HHHHL", 0, 1, 3, 1, 12) + table


def _file(tables: dict[str, bytes]) -> bytes:
    """The font file, with the checksums every reader may verify."""
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    directory = struct.pack(">LHHHH", 0x00010000, count, 16 * power, power.bit_length() - 1, 16 * (count - power))
    start, head = 12 + 16 * count, 0
    for tag, table in sorted(tables.items()):
        directory += struct.pack(">4sLLL", tag.encode(), _checksum(table), start, len(table))
        head = start if tag == "head" else head
        start += len(_padded(table))
    file = directory + b"".join(_padded(table) for _, table in sorted(tables.items()))
    adjustment = (_CHECKSUM_MAGIC - _checksum(file)) & 0xFFFFFFFF
    return file[: head + 8] + struct.pack(">L", adjustment) + file[head + 12 :]


def _checksum(table: bytes) -> int:
    padded = _padded(table)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}L", padded)
    return sum(words) & 0xFFFFFFFF
