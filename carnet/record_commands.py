"""`carnet record`: the life of a record, from the information of its person to its erasure. DMP 13."""

from functools import partial

import click

from carnet.insurer_commands import INSURER_COMMANDS
from carnet.record_document_commands import DOCUMENT_COMMANDS
from carnet.record_opening import open_known
from carnet.record_options import Attempt, record_act
from carnet.record_person_commands import PERSON_COMMANDS
from carnet.record_right_commands import RIGHT_COMMANDS
from dmp import life
from dmp.life import Opening
from dmp.record import Act, Channel, Consent, Representative, Wishes

_birth_date = click.option("--birth-date", default="", metavar="YYYYMMDD", help="Day of birth of the person.")
_territory = click.option("--territory", default="", help="Health-insurance fund, for the counters.")
_reason = click.option("--reason", default="", help="Why.")
_how = click.option("--how", default="", help="By which means the person said so: orally, on paper, online.")


@click.group()
def record() -> None:
    """The shared record of a person (DMP): its life, and what its holder decides.

    \b
    carnet record open 258063523804186 --channel accueil
    carnet record authorise 258063523804186 899700218896
    carnet record show 258063523804186
    """


@record.command("inform")
@record_act
@_birth_date
@_territory
@click.option("--through", type=click.Choice(["email", "post"]), default="email", show_default=True, help="Means.")
def inform(attempt: Attempt, through: str, birth_date: str, territory: str) -> None:
    """Note that a person was told of the record to come: the opposition period begins.

    \b
    carnet record inform 258063523804186 --through post --birth-date 19580615
    """

    given = {"through": through, "birth_date": birth_date, "territory": territory}
    attempt.do(Act.INFORM, life.inform, "person informed", **given)


@record.command("open")
@record_act
@click.option("--channel", default=str(Channel.RECEPTION), show_default=True, help=f"One of {', '.join(Channel)}.")
@_how
@_birth_date
@_territory
@click.option("--representative", "representatives", multiple=True, metavar="INS", help="Legal representative.")
@click.option("--attached", is_flag=True, help="The record is reached from Mon espace santé.")
@click.option("--opposes-break-glass", is_flag=True, help="Nobody may break the glass.")
@click.option("--opposes-regulation", is_flag=True, help="No emergency regulator may read.")
def open_(attempt: Attempt, channel: str, how: str, representatives: tuple[str, ...], **given: object) -> None:
    """Open the record of a person, who is made known to the registry, with consent. A closed one is reactivated.

    With --channel auto: without opposition, once the period is over, as the job does.

    \b
    carnet record open 258063523804186
    carnet record open 258063523804186 --channel officine --by staff:3A12@10B0000000 --how orally
    carnet record open 212067511010115 --birth-date 20121004 --representative 258063523804186
    """
    consent = Consent.NO_OPPOSITION if channel == Channel.AUTOMATIC else Consent.GIVEN
    wishes = Wishes(
        opposes_break_glass=bool(given["opposes_break_glass"]), opposes_regulation=bool(given["opposes_regulation"])
    )
    opening = Opening(
        channel=channel,
        consent=consent,
        how=how,
        birth_date=str(given["birth_date"]),
        territory=str(given["territory"]),
        is_attached=bool(given["attached"]),
        wishes=wishes if wishes != Wishes() else None,
        representatives=tuple(Representative(patient=attempt.key_of(one)) for one in representatives),
    )
    attempt.do(Act.OPEN, partial(open_known, attempt.registry), "record open", opening)


@record.command("suspend")
@record_act
@_reason
def suspend(attempt: Attempt, reason: str) -> None:
    """Announce that a record closes; it does so by itself unless somebody objects.

    \b
    carnet record suspend 258063523804186 --by insurer
    """
    attempt.do(Act.SUSPEND, life.suspend, "suspended", reason=reason)


@record.command("resume")
@record_act
@_reason
def resume(attempt: Attempt, reason: str) -> None:
    """Object to the closure that was announced.

    \b
    carnet record resume 258063523804186 --by holder
    """
    attempt.do(Act.RESUME, life.resume, "record open", reason=reason)


@record.command("close")
@record_act
@_reason
def close(attempt: Attempt, reason: str) -> None:
    """Close a record: nobody reads or feeds it. It is erased when the retention is over.

    \b
    carnet record close 258063523804186 --by holder --reason 'asked at the desk'
    """
    attempt.do(Act.CLOSE, life.close, "record closed", reason=reason)


@record.command("reactivate")
@record_act
@_how
def reactivate(attempt: Attempt, how: str) -> None:
    """Open a closed record again, with everything in it.

    \b
    carnet record reactivate 258063523804186 --by holder
    """
    attempt.do(Act.REACTIVATE, life.reactivate, "record open", how=how)


@record.command("request-erasure")
@record_act
def request_erasure(attempt: Attempt) -> None:
    """Ask that a closed record be erased before the retention is over.

    \b
    carnet record request-erasure 258063523804186 --by holder
    """
    attempt.do(Act.REQUEST_ERASURE, life.request_erasure, "erasure requested")


for command in (*RIGHT_COMMANDS, *DOCUMENT_COMMANDS, *PERSON_COMMANDS, *INSURER_COMMANDS):
    record.add_command(command)
