"""What of the audit may go, what may not, and what stays of it in the chain. CSP R.1112-7; ITI TF-2: 3.20.4.1.1.

Records past their time are replaced by a summary of each run of them: the first and the last sequence, the seal of the
last. The chain goes on from there. A hold keeps the records of a caller or about a patient whatever their age.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)

from audit.chain import Segment
from audit.outbox import audit_receiver, audit_record, head, metadata
from audit.signature import Signer, purge_statement

_AT_ONCE = 10_000
# Whether the records about a patient (CX) are needed whatever their age.
IsNeeded = Callable[[str], bool]

audit_purged = Table(
    "audit_purged",
    metadata,
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("seal", LargeBinary(32), nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("purged", String, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    comment="Summaries of records that are gone: the chain goes on from the seal of the last",
)
audit_hold = Table(
    "audit_hold",
    metadata,
    Column("caller", String, primary_key=True),
    Column("patient", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("since", String, nullable=False),
    comment="Whose records, or about whom, are kept whatever their age",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Records of a caller, about a patient (CX), or of the one about the other. `since` is a UTC time."""

    caller: str = ""
    patient: str = ""
    reason: str = ""
    since: str = ""

    def covers(self, caller: str, patient: str) -> bool:
        return self.caller in ("", caller) and self.patient in ("", patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Records that follow each other and may go, at most 10,000; `octets` of all messages up to the last."""

    first: int
    last: int
    seal: bytes
    octets: int


def purgeable(connection: Connection, before: int, is_needed: IsNeeded, *, after: int = 0) -> Iterator[Run]:
    """Runs of records older than `before`, microseconds since 1970, that no hold covers and every receiver has.

    The end of the chain stays, and with it the last record that a receiver has: they are what is counted from.
    """
    found, held = audit_record.c, holds(connection)
    columns = (found.sequence, found.seal, found.octets, found.caller, found.patient, found.recorded)
    asked = select(*columns).where(found.sequence > after, found.sequence < _first_needed(connection))
    run: Run | None = None
    for row in connection.execute(asked.order_by(found.sequence).execution_options(yield_per=_AT_ONCE)):
        stays = (
            row.recorded >= before or is_needed(row.patient) or any(one.covers(row.caller, row.patient) for one in held)
        )
        follows = run is not None and row.sequence == run.last + 1 and row.sequence - run.first < _AT_ONCE
        if run is not None and (stays or not follows):
            yield run
            run = None
        if not stays:
            first = row.sequence if run is None else run.first
            run = Run(first=first, last=row.sequence, seal=row.seal, octets=row.octets)
    if run is not None:
        yield run


def _first_needed(connection: Connection) -> int:
    behind = connection.execute(select(func.min(audit_receiver.c.confirmed))).scalar()
    end = head(connection).sequence
    return end if behind is None else min(end, behind)


def purge(connection: Connection, run: Run, *, time: str, signer: Signer | None) -> None:
    """Put the summary of a run in the place of its records."""
    statement = purge_statement(first=run.first, last=run.last, seal=run.seal, octets=run.octets, time=time)
    signature = b"" if signer is None else signer.sign(statement)
    connection.execute(
        insert(audit_purged).values(
            first=run.first, last=run.last, seal=run.seal, octets=run.octets, purged=time, signature=signature
        )
    )
    connection.execute(delete(audit_record).where(audit_record.c.sequence.between(run.first, run.last)))


def segments(connection: Connection) -> list[Segment]:
    """Summaries of what was purged, in the order of the chain."""
    return [
        Segment(
            first=row.first, last=row.last, seal=row.seal, octets=row.octets, time=row.purged, signature=row.signature
        )
        for row in connection.execute(select(audit_purged).order_by(audit_purged.c.first))
    ]


def holds(connection: Connection) -> list[Hold]:
    rows = connection.execute(
        select(audit_hold).order_by(audit_hold.c.since, audit_hold.c.caller, audit_hold.c.patient)
    )
    return [Hold(caller=row.caller, patient=row.patient, reason=row.reason, since=row.since) for row in rows]


def hold(connection: Connection, one: Hold) -> bool:
    """Keep what it covers; False where it is held already."""
    if any((known.caller, known.patient) == (one.caller, one.patient) for known in holds(connection)):
        return False
    connection.execute(
        insert(audit_hold).values(caller=one.caller, patient=one.patient, reason=one.reason, since=one.since)
    )
    return True


def release(connection: Connection, *, caller: str, patient: str) -> bool:
    """End a hold; False where there is none."""
    ended = delete(audit_hold).where(audit_hold.c.caller == caller, audit_hold.c.patient == patient)
    return connection.execute(ended).rowcount > 0
