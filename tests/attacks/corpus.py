"""What other people attack with, read where it lies: a name and octets for each file or string."""

import json
import re
from functools import cache
from pathlib import Path

from tests.conftest import CORPUS

ATTACKS = CORPUS / "attacks"
_ABOUT = ("README.md", "MANIFEST.tsv")
_ADDRESS = re.compile(rb"(?:https?|ftp|gopher|netdoc|jar:https?|jar:file|file|php|expect|ldap|dict)://?[^\"'\s<>%;)]*")
Attacks = tuple[tuple[str, bytes], ...]


@cache
def sets() -> dict[str, Attacks]:
    """Every file of every set; of the strings every string once. Read once, before anything is watched."""
    found = {one.name: _files(one) for one in ATTACKS.iterdir() if one.is_dir() and one.name != "LICENSES"}
    return {**found, "strings": tuple({text: (name, text) for name, text in _strings(found["strings"])}.values())}


def _files(folder: Path) -> Attacks:
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name not in _ABOUT)
    return tuple((one.name, one.read_bytes()) for one in files)


def _strings(files: Attacks) -> list[tuple[str, bytes]]:
    """One string of JSON a line."""
    lines = [(name, line) for name, octets in files for line in octets.splitlines()]
    return [(name, json.loads(line)["s"].encode("utf-8", "surrogatepass")) for name, line in lines]


def aimed(octets: bytes, *targets: str) -> list[bytes]:
    """The same attack on addresses of ours: every URL in it replaced by each target."""
    return [_ADDRESS.sub(lambda _, to=to: to.encode(), octets) for to in targets if _ADDRESS.search(octets)]
