"""What must hold after every crash, read from the raw disk: by SQL and by hashing files, without Carnet's code."""

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DOCUMENT_ENTRY, SUBMISSION_SET = 1, 2
APPROVED, DEPRECATED = 1, 2


@dataclass
class Acknowledged:
    """What the scenario was told: SHA-256 by uniqueId, removed uniqueIds, replaced uniqueIds."""

    stored: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)


def acknowledged(lines: Iterable[str]) -> Acknowledged:
    """From the lines of `acknowledged`; the last may be cut."""
    found = Acknowledged()
    for line in lines:
        if not line.endswith("\n"):
            continue
        answer = json.loads(line)
        found.stored |= answer.get("stored", {})
        found.removed |= {answer["removed"]} if "removed" in answer else set()
        found.replaced |= {answer["replaced"]} if answer.get("replaced") else set()
    return found


def violations(data: Path, told: Acknowledged) -> Iterator[str]:
    """Every broken promise: lost, half visible, dangling, back again."""
    connection = sqlite3.connect(data / "carnet.sqlite")
    try:
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            yield "the database is damaged"
            return
        documents = dict(connection.execute("SELECT unique_id, blob_key FROM document"))
        objects = connection.execute(
            "SELECT unique_id, kind, status FROM registry_object WHERE unique_id IS NOT NULL"
        ).fetchall()
    except sqlite3.DatabaseError as problem:
        yield f"the database cannot be read: {problem}"
        return
    finally:
        connection.close()
    statuses = {unique_id: status for unique_id, kind, status in objects if kind == DOCUMENT_ENTRY}
    sets = {unique_id for unique_id, kind, _ in objects if kind == SUBMISSION_SET}
    yield from _lost(data, told, documents, statuses)
    yield from _half_visible(told, documents, statuses, sets)
    yield from (f"dangling: {one}" for one, key in documents.items() if not _is_sound(data, key))


def _lost(data: Path, told: Acknowledged, documents: dict[str, str], statuses: dict[str, int]) -> Iterator[str]:
    gone = told.removed | {one for one in told.stored if may_be_removed(one)}
    for unique_id, sha256 in told.stored.items():
        if unique_id not in statuses:
            yield f"lost entry: {unique_id}"
        if unique_id not in gone and not documents.get(unique_id, "").startswith(sha256):
            yield f"lost document: {unique_id}"
    for unique_id in told.removed & documents.keys():
        yield f"back again: {unique_id}"
    for unique_id in told.replaced:
        if statuses.get(unique_id) == APPROVED:
            yield f"replaced but approved: {unique_id}"


def may_be_removed(unique_id: str) -> bool:
    """A removal under way when the crash came may have happened without its answer: every fourth step removes one."""
    return unique_id.endswith(".2") and int(unique_id.split(".")[-2]) % 4 == 0


def _half_visible(
    told: Acknowledged, documents: dict[str, str], statuses: dict[str, int], sets: set[str]
) -> Iterator[str]:
    """A submission has its set, two entries and two documents, or nothing."""
    parts: dict[str, set[str]] = defaultdict(set)
    for unique_id in (*statuses, *sets):
        submission, _, part = unique_id.rpartition(".")
        parts[submission].add(part)
    for submission, found in parts.items():
        if found != {"0", "1", "2"}:
            yield f"half visible: {submission} has {sorted(found)}"
    for unique_id in documents.keys() - statuses.keys():
        yield f"half visible: document without entry {unique_id}"
    for unique_id in statuses.keys() - documents.keys() - told.removed:
        if not may_be_removed(unique_id):
            yield f"half visible: entry without document {unique_id}"


def _is_sound(data: Path, key: str) -> bool:
    file = data / "documents" / key[:3] / key.replace("/", "-", 1)
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == key.partition("/")[0]
    except FileNotFoundError:
        return False
