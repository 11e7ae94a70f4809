"""CSV files that decide, each with its version and source on the lines before the header."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class BadPolicy(ValueError):
    """A policy file that cannot be used; the text names the file, the line, what was found and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """The rows of one file, each with the number of its line."""

    name: str
    version: str
    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def read_policy_file(text: str, name: str) -> PolicyFile:
    """UTF-8 CSV after lines `# version: …` and `# source: …`. Raises BadPolicy."""
    told, lines = _told(text, name)
    reader = csv.reader(lines[len(told) :], strict=True)
    try:
        header, *found = [(reader.line_num + len(told), row) for row in reader if row]
    except ValueError:
        raise BadPolicy(f"{name}: found no header line") from None
    except csv.Error as problem:
        raise BadPolicy(f"{name}: line {reader.line_num + len(told)}: {problem}") from None
    rows = tuple((line, _row(row, header[1], f"{name}: line {line}")) for line, row in found)
    return PolicyFile(name=name, version=told["version"], source=told["source"], header=tuple(header[1]), rows=rows)


def _told(text: str, name: str) -> tuple[dict[str, str], list[str]]:
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    told: dict[str, str] = {}
    for line in lines:
        if not line.startswith("#"):
            break
        key, _, value = line.removeprefix("#").partition(":")
        told[key.strip()] = value.strip()
    for key in ("version", "source"):
        if not told.get(key):
            raise BadPolicy(f"{name}: found no line '# {key}: …' before the header")
    return told, lines


def _row(row: list[str], header: list[str], where: str) -> Mapping[str, str]:
    if len(row) != len(header):
        raise BadPolicy(f"{where}: found {len(row)} columns, expected {len(header)}")
    return dict(zip(header, row, strict=True))


def check_header(file: PolicyFile, *expected: str) -> None:
    """Raises BadPolicy when a column is missing."""
    missing = [one for one in expected if one not in file.header]
    if missing:
        raise BadPolicy(f"{file.name}: found no column {', '.join(missing)}")


def alternatives(text: str) -> Iterator[str]:
    """Values separated by vertical bars."""
    yield from (one.strip() for one in text.split("|") if one.strip())
