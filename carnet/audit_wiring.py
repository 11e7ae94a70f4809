"""The audit of one process, put together: its trail, the sealer, a sender for each receiver, anchors, alarms."""

import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from access_policy.caller import Caller
from audit.delivery import Sender, Transport
from audit.fhir_transport import FhirTransport
from audit.occurrence import Node, Occurrence, written_time
from audit.outbox import Head
from audit.recorder import AuditTrail, utc_now
from audit.reserve import Reserve
from audit.sealer import Sealer
from audit.signature import Signer
from audit.spool import Spool
from audit.syslog import Origin
from audit.syslog_transport import SyslogTarget, SyslogTransport, client_context
from carnet.audit_settings import fhir_bases, is_audited, syslog_addresses
from carnet.audit_signing import open_signer, written_anchor
from carnet.settings import Settings, SettingsError
from storage.durable_folders import make_folder
from storage.unit_of_work import StorageFailed, Units

_MEGABYTE = 10**6
ANCHORS = "audit-anchors.jsonl"
_NOBODY = Caller(name="")


def open_trail(settings: Settings, units: Units, *, serves: bool = False) -> AuditTrail | None:
    """The trail of the settings; None where the audit is off. A server keeps a reserve beside a SQLite database."""
    if not is_audited(settings):
        return None
    spool = Spool(
        settings.audit_spool_mb * _MEGABYTE, on_alarm=_log_alarm, fails_closed=settings.audit_full == "refuse"
    )
    return AuditTrail.of(node_of(settings), units, spool, _reserve(settings) if serves else None)


def _reserve(settings: Settings) -> Reserve | None:
    if not settings.uses_sqlite or not settings.audit_reserve_mb:
        return None
    return Reserve(settings.data_folder / "audit-reserve", settings.audit_reserve_mb * _MEGABYTE)


def node_of(settings: Settings) -> Node:
    host = socket.gethostname()
    return Node(
        id=settings.audit_source or host,
        site=settings.audit_site,
        url=settings.public_url,
        host=host,
        process_id=str(os.getpid()),
    )


def open_transports(settings: Settings) -> list[Transport]:
    """One for each receiver. Raises SettingsError when a certificate cannot be had."""
    addresses, bases = syslog_addresses(settings.audit_syslog), fhir_bases(settings.audit_fhir)
    if not addresses and not bases:
        return []
    try:
        context = client_context(
            certificate=settings.audit_certificate, key=settings.audit_key, trust=settings.audit_trust
        )
    except OSError as problem:
        raise SettingsError(f"settings audit_certificate, audit_key, audit_trust: {problem}") from problem
    origin = Origin(host=socket.gethostname())
    targets = [SyslogTarget(host=host, port=port, context=context, origin=origin) for host, port in addresses]
    return [*map(SyslogTransport, targets), *(FhirTransport(base, context) for base in bases)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAudit:
    """What runs beside the doors of a process while it serves."""

    trail: AuditTrail
    sealer: Sealer
    senders: tuple[Sender, ...] = field(default=())

    def stop(self) -> None:
        """Record that recording ends, seal, leave an anchor; what was not sent is sent by the next server."""
        try:
            self.trail.keep_always([Occurrence(event="recording stopped"), Occurrence(event="stop")], _NOBODY)
        except StorageFailed:
            structlog.get_logger().error("the end of the audit could not be recorded")
        for sender in self.senders:
            sender.stop()
        self.sealer.stop()


def started_audit(settings: Settings, units: Units, trail: AuditTrail | None) -> RunningAudit | None:
    """Sealer and senders at work, and the record that recording began; None where the audit is off."""
    if trail is None:
        return None
    transports = open_transports(settings)
    sealer = Sealer(
        units,
        trail.spool,
        [one.receiver for one in transports],
        on_anchor=_Anchors(settings.data_folder, open_signer(settings)),
        reserve=trail.reserve,
    )
    sealer.step()
    trail.keep_always(_beginning(settings), _NOBODY)
    running = RunningAudit(trail=trail, sealer=sealer, senders=tuple(Sender(units, one) for one in transports))
    sealer.start()
    for sender in running.senders:
        sender.start()
    return running


def _beginning(settings: Settings) -> list[Occurrence]:
    """Serving on with a full spool is a choice that is on record."""
    begun = [Occurrence(event="start"), Occurrence(event="recording started")]
    if settings.audit_full == "serve":
        begun.append(Occurrence(event="configuration", description="audit_full = serve: a full spool stops nothing"))
    return begun


@dataclass(frozen=True, slots=True)
class _Anchors:
    """Appends the end of the chain to a file beside the documents, one line of JSON each, and tells the log."""

    folder: Path
    signer: Signer | None

    def __call__(self, end: Head) -> None:
        line = written_anchor(sequence=end.sequence, seal=end.seal, time=written_time(utc_now()), signer=self.signer)
        structlog.get_logger().info("audit anchor", **json.loads(line))
        make_folder(self.folder)
        with (self.folder / ANCHORS).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _log_alarm(percent: int, alarm: int) -> None:
    log = structlog.get_logger()
    if alarm:
        log.error("audit spool alarm", percent=percent, alarm=alarm)
    else:
        log.info("audit spool below its alarms", percent=percent)
