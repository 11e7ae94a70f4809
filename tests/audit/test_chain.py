"""The chain over the store: whatever is done to a row behind its back, the verification names the place."""

import hashlib
from collections.abc import Callable
from typing import cast

import pytest
from sqlalchemy import Connection, text

from audit import outbox
from audit.chain import GENESIS, Verified, seal_of, verify
from audit.dicom import write_message
from audit.occurrence import record_of
from audit.recorder import columns_of, utc_now
from audit.sealer import Sealer
from storage.unit_of_work import UnitOfWork, Units
from tests.audit.happenings import NODE, PROFESSIONAL, a_trail, asked

COUNT = 20


@pytest.fixture
def kept(units: Units) -> Units:
    """Twenty sealed records."""
    trail = a_trail(units)
    for number in range(1, COUNT + 1):
        trail.keep([asked(number)], PROFESSIONAL)
    Sealer(units, trail.spool, [], on_anchor=lambda _: None).step()
    return units


def verified(units: Units, anchors: dict[int, bytes] | None = None) -> Verified:
    with units.read() as connection:
        return verify(outbox.all_links(connection), anchors or {}, columns_of=columns_of)


def tampered(units: Units, tamper: Callable[[Connection], None]) -> Verified:
    units.write(lambda unit: tamper(unit.connection))
    return verified(units)


def broken_at(found: Verified) -> int:
    assert found.broken is not None
    assert found.last == found.broken.sequence - 1
    return found.broken.sequence


def test_an_untouched_chain_is_whole(kept: Units) -> None:
    found = verified(kept)
    assert (found.last, found.broken) == (COUNT, None)


def test_the_seal_is_a_digest_of_what_the_page_says() -> None:
    octets = bytes(32) + (7).to_bytes(8) + (1_700_000_000_000_000).to_bytes(8) + b"<AuditMessage/>"
    assert seal_of(GENESIS, 7, 1_700_000_000_000_000, b"<AuditMessage/>") == hashlib.sha256(octets).digest()


@pytest.mark.parametrize("sequence", [1, 2, 10, COUNT])
def test_one_flipped_bit_is_found(kept: Units, sequence: int) -> None:
    with kept.read() as connection:
        message = bytearray(outbox.links(connection, after=sequence - 1, limit=1)[0].message)
    message[len(message) // 2] ^= 1
    statement = text("UPDATE audit_record SET message = :message WHERE sequence = :sequence")
    values = {"message": bytes(message), "sequence": sequence}
    assert broken_at(tampered(kept, lambda one: one.execute(statement, values) and None)) == sequence


@pytest.mark.parametrize("sequence", [1, 2, 10, COUNT - 1])
def test_a_deleted_record_is_found(kept: Units, sequence: int) -> None:
    statement = text("DELETE FROM audit_record WHERE sequence = :sequence")
    assert broken_at(tampered(kept, lambda one: one.execute(statement, {"sequence": sequence}) and None)) == sequence


def test_a_deletion_with_the_others_moved_up_is_found(kept: Units) -> None:
    def close_up(connection: Connection) -> None:
        connection.execute(text("DELETE FROM audit_record WHERE sequence = 10"))
        for sequence in range(11, COUNT + 1):
            connection.execute(
                text("UPDATE audit_record SET sequence = :new WHERE sequence = :old"),
                {"new": sequence - 1, "old": sequence},
            )

    assert broken_at(tampered(kept, close_up)) == 10


def test_two_swapped_records_are_found(kept: Units) -> None:
    def swap(connection: Connection) -> None:
        for old, new in ((5, -1), (6, 5), (-1, 6)):
            connection.execute(
                text("UPDATE audit_record SET sequence = :new WHERE sequence = :old"), {"new": new, "old": old}
            )

    assert broken_at(tampered(kept, swap)) == 5


def test_an_inserted_record_is_found(kept: Units) -> None:
    """Even one that is sealed rightly after the one before it: the next one does not follow it."""
    message = write_message(record_of(asked(999), PROFESSIONAL, NODE, utc_now()))

    def insert(connection: Connection) -> None:
        before = outbox.links(connection, after=9, limit=1)[0]
        for sequence in range(COUNT, 10, -1):
            connection.execute(
                text("UPDATE audit_record SET sequence = :new WHERE sequence = :old"),
                {"new": sequence + 1, "old": sequence},
            )
        values = {"seal": seal_of(before.seal, 11, 1, message), "octets": before.octets + len(message)}
        connection.execute(
            text(
                "INSERT INTO audit_record (record_key, recorded, event, outcome, caller, patient, sequence, octets, "
                "seal, message) SELECT 1, 1, event, outcome, caller, patient, 11, :octets, :seal, :message "
                "FROM audit_record WHERE sequence = 10"
            ),
            values | {"message": message},
        )

    assert broken_at(tampered(kept, insert)) == 12


@pytest.mark.parametrize(
    ("column", "value"), [("recorded", 1), ("caller", "'somebody'"), ("patient", "''"), ("outcome", 8), ("octets", 1)]
)
def test_a_changed_column_is_found(kept: Units, column: str, value: object) -> None:
    statement = text(f"UPDATE audit_record SET {column} = {value} WHERE sequence = 3")
    assert broken_at(tampered(kept, lambda one: one.execute(statement) and None)) == 3


def test_records_cut_off_at_the_end_are_found_with_an_anchor(kept: Units) -> None:
    with kept.read() as connection:
        anchor = outbox.head(connection)
    cut = tampered(kept, lambda one: one.execute(text("DELETE FROM audit_record WHERE sequence > 15")) and None)
    assert (cut.last, cut.broken) == (15, None)
    assert broken_at(verified(kept, {anchor.sequence: anchor.seal})) == 16


def test_a_chain_that_was_written_again_is_found_with_an_anchor(kept: Units) -> None:
    with kept.read() as connection:
        anchor = outbox.head(connection)

    def forge(connection: Connection) -> None:
        connection.execute(text("DELETE FROM audit_record WHERE sequence = 4"))
        connection.execute(text("UPDATE audit_record SET sequence = NULL, seal = NULL, octets = NULL"))
        while outbox.seal(connection):
            continue

    forged = tampered(kept, forge)
    assert (forged.last, forged.broken) == (COUNT - 1, None)
    assert broken_at(verified(kept, {anchor.sequence: anchor.seal})) == COUNT


def test_what_has_not_committed_is_not_sealed_and_what_commits_late_is_sealed_late(units: Units) -> None:
    trail = a_trail(units)
    sealer = Sealer(units, trail.spool, [], on_anchor=lambda _: None)

    def refused(unit: object) -> None:
        trail.record(unit, [asked(1)], PROFESSIONAL)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        units.write(refused)
    sealer.step()
    assert verified(units).last == 0
    trail.keep([asked(2)], PROFESSIONAL)
    sealer.step()
    assert verified(units).last == 1


def test_a_step_ends_while_records_keep_coming(units: Units) -> None:
    """Otherwise it seals one by one what comes meanwhile, and takes a sixth of a loaded server's time for it."""
    trail = a_trail(units)
    trail.keep([asked(1)], PROFESSIONAL)
    written: list[int] = []

    class Busy:
        """The same store, where another record has come whenever something was committed."""

        read = units.read

        def write(self, work: Callable[[UnitOfWork], int]) -> int:
            assert len(written) < COUNT, "the step has no end"
            written.append(units.write(work))
            trail.keep([asked(len(written) + 1)], PROFESSIONAL)
            return written[-1]

    Sealer(cast(Units, Busy()), trail.spool, [], on_anchor=lambda _: None).step()
    assert (written, verified(units).last) == ([1], 1)
