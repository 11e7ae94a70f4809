"""How long the audit is kept: runs that may go, what holds them, and a chain that is whole afterwards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import text

from audit import outbox, retention
from audit.chain import Segment, Verified, verify
from audit.recorder import columns_of
from audit.retention import Hold, Run
from audit.sealer import Sealer
from audit.signature import Signer, anchor_statement, is_signed, purge_statement
from carnet.pki import Use
from storage.unit_of_work import Units
from tests import sts
from tests.audit.happenings import PROFESSIONAL, a_trail, asked
from tests.builders import PATIENT

COUNT, OLD = 30, 20
MOMENT = "2050-01-01T00:00:00.000Z"
THEN = datetime(2020, 5, 1, tzinfo=UTC)
BEFORE = int((THEN + timedelta(days=1)).timestamp()) * 10**6


@pytest.fixture
def kept(units: Units) -> Units:
    """Thirty sealed records; the first twenty are of 2020."""
    trail = a_trail(units)
    for number in range(1, COUNT + 1):
        trail = replace(trail, now=lambda: THEN) if number <= OLD else replace(trail, now=lambda: datetime.now(UTC))
        trail.keep([replace(asked(number), patient=PATIENT.key if number == 7 else "")], PROFESSIONAL)
    Sealer(units, trail.spool, [], on_anchor=lambda _: None).step()
    return units


def nobody(_patient: str) -> bool:
    return False


def runs(units: Units, before: int = BEFORE, is_needed: Callable[[str], bool] = nobody) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in found(units, before, is_needed)]


def found(units: Units, before: int = BEFORE, is_needed: Callable[[str], bool] = nobody) -> list[Run]:
    with units.read() as connection:
        return list(retention.purgeable(connection, before, is_needed))


def purge_all(units: Units, signer: Signer | None = None) -> None:
    for run in found(units):
        units.write(lambda unit, run=run: retention.purge(unit.connection, run, time=MOMENT, signer=signer))


def verified(units: Units, is_believed: Callable[[Segment], bool] = lambda _: True, **anchors: bytes) -> Verified:
    seals = {int(name.removeprefix("at_")): seal for name, seal in anchors.items()}
    with units.read() as connection:
        return verify(
            outbox.all_links(connection),
            seals,
            columns_of=columns_of,
            segments=retention.segments(connection),
            is_believed=is_believed,
        )


def test_what_is_old_goes_and_the_rest_still_verifies(kept: Units) -> None:
    assert runs(kept) == [(1, OLD)]
    purge_all(kept)
    with kept.read() as connection:
        assert [one.sequence for one in outbox.all_links(connection)] == list(range(OLD + 1, COUNT + 1))
    assert (verified(kept).last, verified(kept).broken) == (COUNT, None)
    assert runs(kept) == []


def test_a_hold_keeps_what_it_covers_and_its_end_lets_it_go(kept: Units) -> None:
    one = Hold(patient=PATIENT.key, reason="case", since=MOMENT)
    assert kept.write(lambda unit: retention.hold(unit.connection, one))
    assert not kept.write(lambda unit: retention.hold(unit.connection, one))
    assert runs(kept) == [(1, 6), (8, OLD)]
    purge_all(kept)
    assert verified(kept).broken is None
    assert kept.write(lambda unit: retention.release(unit.connection, caller="", patient=PATIENT.key))
    assert runs(kept) == [(7, 7)]
    purge_all(kept)
    assert (verified(kept).last, verified(kept).broken) == (COUNT, None)


def test_a_hold_of_a_professional_keeps_all_that_is_theirs_and_of_both_that_alone(kept: Units) -> None:
    assert Hold(caller="1").covers("1", PATIENT.key)
    assert not Hold(caller="1", patient=PATIENT.key).covers("1", "")
    kept.write(lambda unit: retention.hold(unit.connection, Hold(caller=PROFESSIONAL.name, since=MOMENT)))
    assert runs(kept) == []


def test_a_patient_whose_record_is_needed_keeps_their_records(kept: Units) -> None:
    assert runs(kept, is_needed=lambda patient: patient == PATIENT.key) == [(1, 6), (8, OLD)]


def test_nothing_goes_that_a_receiver_has_not_got(kept: Units) -> None:
    kept.write(lambda unit: outbox.know_receiver(unit.connection, "syslog://a"))
    assert runs(kept) == []
    kept.write(lambda unit: outbox.confirm(unit.connection, "syslog://a", 5))
    assert runs(kept) == [(1, 4)]
    with kept.read() as connection:
        waiting = outbox.octets_waiting(connection, "syslog://a")
    purge_all(kept)
    with kept.read() as connection:
        assert outbox.octets_waiting(connection, "syslog://a") == waiting


def test_the_end_of_the_chain_stays_however_old(kept: Units) -> None:
    assert runs(kept, before=1 << 62) == [(1, COUNT - 1)]


def test_a_signed_summary_is_believed_and_no_other(kept: Units) -> None:
    signer, certificate = Signer(key=sts.card()[Use.SIGNATURE].key), sts.card()[Use.SIGNATURE].certificate

    def is_believed(one: Segment) -> bool:
        said = purge_statement(first=one.first, last=one.last, seal=one.seal, octets=one.octets, time=one.time)
        return is_signed(said, one.signature, certificate)

    purge_all(kept, signer)
    assert verified(kept, is_believed).broken is None
    # Whoever can write to the database takes ten records more, and widens the summary over them.
    with kept.read() as connection:
        last = outbox.links(connection, after=OLD + 4, limit=1)[0]
    values = {"last": last.sequence, "seal": last.seal, "octets": last.octets}
    kept.write(lambda unit: unit.connection.execute(text("DELETE FROM audit_record WHERE sequence <= :last"), values))
    widen = text("UPDATE audit_purged SET last = :last, seal = :seal, octets = :octets")
    kept.write(lambda unit: unit.connection.execute(widen, values))
    assert verified(kept).broken is None
    broken = verified(kept, is_believed).broken
    assert broken is not None
    assert (broken.sequence, "no good signature" in broken.found) == (1, True)


@pytest.mark.parametrize("change", ["first = 2", "last = last - 1", "last = last + 1", "octets = octets + 1"])
def test_a_summary_that_is_changed_is_found(kept: Units, change: str) -> None:
    purge_all(kept)
    kept.write(lambda unit: unit.connection.execute(text(f"UPDATE audit_purged SET {change}")))
    assert verified(kept).broken is not None


def test_an_anchor_at_the_end_of_what_was_purged_is_compared(kept: Units) -> None:
    purge_all(kept)
    assert verified(kept, at_20=bytes(32)).broken is not None


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_statement_is_signed_by_its_key_alone(kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    said = anchor_statement(sequence=3, seal=bytes(32), time=MOMENT)
    signature = Signer(key=key).sign(said)
    other = sts.card()[Use.SIGNATURE].certificate
    assert not is_signed(said, signature, other)
    assert not is_signed(said, b"", other)


def test_another_statement_has_another_signature() -> None:
    credential = sts.card()[Use.SIGNATURE]
    signature = Signer(key=credential.key).sign(anchor_statement(sequence=3, seal=bytes(32), time=MOMENT))
    for sequence, seal, time, good in (
        (3, bytes(32), MOMENT, True),
        (4, bytes(32), MOMENT, False),
        (3, bytes(31) + b"x", MOMENT, False),
        (3, bytes(32), MOMENT.replace("2050", "2051"), False),
    ):
        said = anchor_statement(sequence=sequence, seal=seal, time=time)
        assert is_signed(said, signature, credential.certificate) is good
