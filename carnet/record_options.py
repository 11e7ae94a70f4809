"""What the commands on records share: whose record, who acts, when, and the answer."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import click

from carnet.clock import NoTime, clock, read_moment
from carnet.existing_stores import existing_registry
from carnet.options import STORE, authority_option, json_option, patient_id_of, settings_options
from carnet.record_wiring import open_records
from carnet.settings import Settings
from dmp.actor import OPERATOR, Actor, ActorKind
from dmp.record import Act, Record
from dmp.records import Records
from dmp.refusal import RecordRefused
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.errors import Rejected

RECORD_SETTINGS = (
    *STORE,
    *("clock", "record_regime", "information_weeks", "suspension_weeks", "retention_years", "early_erasure_months"),
    *("authorisation_months", "announcement_days", "announcement_target", "visible_after_months"),
    *("visible_after_days", "journal_days", "journal_lines", "majority_age"),
    *("notices", "notices_from", "notices_doctor_address", "notices_secret_file"),
)
_BY = (
    "Who acts: holder, representative:INS, professional:ID@STRUCTURE, staff:ID@STRUCTURE, structure:ID, insurer, "
    "operator."
)
Command = Callable[..., None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One act about to be done: on which record, by whom, when."""

    settings: Settings
    patient: str
    by: Actor
    now: str
    as_json: bool
    dmp: Records
    registry: Registry

    def moment(self, given: str) -> str:
        """A time given as an option, empty without one."""
        return moment(self.settings, given) if given else ""

    def key_of(self, identifier: str) -> str:
        """CX key of another person, an INS of the same authority unless it says more."""
        return patient_id_of(identifier, CX(self.patient).authority).key

    def do(self, act: Act, function: Callable[..., Record], sentence: str, *given: Any, **named: Any) -> None:
        """Call the function of an act, and print the record it leaves. Raises what `run` raises."""
        print_record(self.run(act, function, *given, **named), sentence, self.as_json)

    def run(self, act: Act, function: Callable[..., T], *given: Any, **named: Any) -> T:
        """What the function of an act returns; a refusal is journaled, then raised."""

        def work(unit: UnitOfWork) -> T:
            return function(self.dmp, unit, self.patient, *given, by=self.by, now=self.now, **named)

        try:
            return self.registry.units.write(work)
        except RecordRefused as refused:
            self._journal(act, str(refused.code))
            raise
        except Rejected as rejected:
            self._journal(act, str(rejected))
            raise

    def _journal(self, act: Act, refusal: str) -> None:
        self.registry.units.write(
            lambda unit: self.dmp.note_refusal(unit, self.patient, act, refusal, by=self.by, now=self.now)
        )


def record_act(command: Command) -> Command:
    """A command `command(attempt, …)` on the record of IDENTIFIER."""

    def run(
        settings: Settings, identifier: str, authority: str, by: str, now: str, as_json: bool, **given: Any
    ) -> None:
        patient = patient_id_of(identifier, authority).key
        with existing_registry(settings) as registry:
            attempt = Attempt(
                settings=settings,
                patient=patient,
                by=read_actor(by, authority),
                now=moment(settings, now),
                as_json=as_json,
                dmp=open_records(settings),
                registry=registry,
            )
            command(attempt, **given)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    decorated: Command = settings_options(*RECORD_SETTINGS)(run)
    for option in (
        json_option,
        click.option("--now", default="", help="Time of the act, YYYYMMDDhhmmss or ISO 8601; default the clock's."),
        click.option("--by", default="operator", show_default=True, help=_BY),
        authority_option,
        click.argument("identifier"),
    ):
        decorated = option(decorated)
    return decorated


def moment(settings: Settings, given: str) -> str:
    """The time given, else the clock's."""
    try:
        return read_moment(given) if given else clock(settings.clock)()
    except NoTime as problem:
        raise click.UsageError(f"--now: {problem}") from None


def read_actor(text: str, authority: str) -> Actor:
    """KIND, KIND:ID or KIND:ID@STRUCTURE; the ID of a representative is an INS."""
    kind, _, name = text.partition(":")
    if kind not in list(ActorKind) or kind == ActorKind.SERVER:
        raise click.UsageError(
            f"--by: found {kind!r}, expected {', '.join(one for one in ActorKind if one != 'server')}"
        )
    if kind == ActorKind.OPERATOR:
        return Actor(kind=ActorKind.OPERATOR, name=name or OPERATOR.name)
    if kind == ActorKind.REPRESENTATIVE:
        return Actor(kind=ActorKind.REPRESENTATIVE, name=patient_id_of(name, authority).key if name else "")
    name, _, structure = name.partition("@")
    return Actor(kind=ActorKind(kind), name=name, structure=structure)


def to_json(record: Record) -> dict[str, Any]:
    """Every column that has something to say, in camelCase."""
    found = {_camel(name): value for name, value in asdict(record).items() if name != "key" and value != ""}
    return {**found, "state": str(record.state)}


def print_record(record: Record, sentence: str, as_json: bool) -> None:
    click.echo(json.dumps(to_json(record), ensure_ascii=False, indent=2) if as_json else sentence)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
