"""`carnet dmp`: what software asks of the record of a person, over SOAP: TD0.2 to TD1.6, TD3.3."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from carnet.dmp_client import APPROVED, ARCHIVED, DELETED, MASKED, DmpClient, Requester, Said
from carnet.options import authority_option, json_option, patient_id_of, print_result, url_option
from carnet.proof import Proof, proof_options
from carnet.xds_client import Answer, XdsClient
from hl7v3.person import Person
from xds.errors import Rejected
from xds.metadata import DocumentEntry

REFUSED = 1
_STATUSES = {"approved": APPROVED, "archived": ARCHIVED, "deleted": DELETED}


@click.group()
def dmp() -> None:
    """Ask a server about the record of a person, as software does: existence, authorisation, changes.

    \b
    carnet dmp existence 258063523804186 --url https://localhost:8080 --authorities carnet-pki/trust \\
        --client-certificate carnet-pki/issued/801234567897-authentication.pem --assertion vihf.xml
    carnet dmp authorise --url …
    carnet dmp mask 2.25.1234567890 --url …
    """


def _told(said: Said, as_json: bool) -> None:
    shown = ", ".join(f"{name} {value}".strip() for name, value in said.details.items())
    print_result(asdict(said), f"{said.code}  {shown}".rstrip(), as_json)
    if not said.is_success:
        raise click.exceptions.Exit(REFUSED)


@dmp.command()
@click.argument("identifier", metavar="INS")
@authority_option
@url_option
@proof_options
@json_option
def existence(identifier: str, authority: str, url: str, proof: Proof, as_json: bool) -> None:
    """Does a record exist, and is one authorised? [TD0.2]

    \b
    carnet dmp existence 258063523804186
    """
    _told(DmpClient(url, proof=proof).existence(patient_id_of(identifier, authority)), as_json)


@dmp.command()
@click.argument("identifier", metavar="INS")
@authority_option
@url_option
@proof_options
@json_option
def data(identifier: str, authority: str, url: str, proof: Proof, as_json: bool) -> None:
    """Read administrative data [TD1.3a].

    \b
    carnet dmp data 258063523804186
    """
    _told(DmpClient(url, proof=proof).data(patient_id_of(identifier, authority)), as_json)


@dmp.command()
@click.option("--remove", is_flag=True, help="Remove it.")
@click.option("--treating-doctor", is_flag=True, help="Be, or stop being, the médecin traitant.")
@url_option
@proof_options
@json_option
def authorise(remove: bool, treating_doctor: bool, url: str, proof: Proof, as_json: bool) -> None:
    """Add one's authorisation on the record that the assertion names [TD0.3].

    \b
    carnet dmp authorise --assertion vihf.xml
    carnet dmp authorise --remove --assertion vihf.xml
    """
    action = "SUPPRESSION" if remove else "AJOUT"
    _told(DmpClient(url, proof=proof).authorise(action=action, treating_doctor=treating_doctor), as_json)


@dmp.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Day of the authorisation.")
@url_option
@proof_options
@json_option
def records(since: datetime, url: str, proof: Proof, as_json: bool) -> None:
    """List the records one is authorised on [TD0.4].

    \b
    carnet dmp records --since 2026-01-01
    """
    _told(DmpClient(url, proof=proof).records(since=f"{since:%Y%m%d%H%M%S}"), as_json)


@dmp.command()
@click.option("--mode", type=click.Choice(["ACTIVE", "INTERDITE", "TOUTE"]), default="ACTIVE", show_default=True)
@url_option
@proof_options
@json_option
def professionals(mode: str, url: str, proof: Proof, as_json: bool) -> None:
    """List authorised and blocked professionals of the record that the assertion names [TD1.6].

    \b
    carnet dmp professionals --mode TOUTE --assertion vihf.xml
    """
    _told(DmpClient(url, proof=proof).professionals(mode=mode), as_json)


def _person_options(command: Any) -> Any:
    """Whose record, and who acts: what a change of a record names."""
    for option in reversed(
        (
            click.argument("identifier", metavar="INS"),
            click.option("--family", required=True, help="Birth name of the person."),
            click.option("--given", required=True, help="Given name of the person."),
            click.option("--born", required=True, metavar="YYYYMMDD"),
            click.option("--gender", type=click.Choice(["F", "M"]), required=True),
            click.option("--by", required=True, metavar="ID^FAMILY^GIVEN", help="Who acts: PS_IdNat and names."),
            click.option("--structure", required=True, metavar="ID^NAME", help="Struct_IdNat and name."),
        )
    ):
        command = option(command)
    return command


def _person(family: str, given: str, born: str, gender: str) -> Person:
    return Person(birth_family=family, given=(given,), gender=gender, birth_time=born)


def _requester(by: str, structure: str) -> Requester:
    """Raises click.UsageError."""
    person, place = by.split("^"), structure.split("^")
    if len(person) != 3 or len(place) != 2:
        raise click.UsageError(f"found {by} and {structure}, expected ID^FAMILY^GIVEN and ID^NAME")
    return Requester(id=person[0], family=person[1], given=person[2], structure=place[0], structure_name=place[1])


@dmp.command()
@_person_options
@authority_option
@url_option
@proof_options
@json_option
def create(
    identifier: str, authority: str, by: str, structure: str, url: str, proof: Proof, as_json: bool, **person: str
) -> None:
    """Create a record with the person's consent [TD1.1].

    \b
    carnet dmp create 258063523804186 --family EXEMPLE --given ANNE --born 19580614 --gender F \\
        --by '801234567897^VILLARD^ÉLISE' --structure '1690000014^Clinique des Tilleuls' --assertion vihf.xml
    """
    patient = patient_id_of(identifier, authority)
    _told(DmpClient(url, proof=proof).create(patient, _person(**person), _requester(by, structure)), as_json)


@dmp.command()
@_person_options
@click.option("--reason", required=True, help="Why, in words.")
@authority_option
@url_option
@proof_options
@json_option
def close(
    identifier: str,
    authority: str,
    by: str,
    structure: str,
    reason: str,
    url: str,
    proof: Proof,
    as_json: bool,
    **person: str,
) -> None:
    """Close a record on the person's demand [TD1.4].

    \b
    carnet dmp close 258063523804186 --family EXEMPLE --given ANNE --born 19580614 --gender F --reason 'sa demande' \\
        --by '801234567897^VILLARD^ÉLISE' --structure '1690000014^Clinique des Tilleuls' --assertion vihf.xml
    """
    patient, who = patient_id_of(identifier, authority), _requester(by, structure)
    _told(DmpClient(url, proof=proof).close(patient, _person(**person), who, reason=reason), as_json)


def _entry(url: str, proof: Proof, unique_id: str) -> DocumentEntry:
    """The current version. Raises Rejected, click.ClickException."""
    answer = XdsClient(url, proof=proof).get_documents(unique_id)
    if not answer.is_success:
        raise Rejected(answer.errors)
    if not answer.documents:
        raise click.ClickException(f"no document {unique_id} is to be found")
    return answer.documents[0]


def _updated(answer: Answer, as_json: bool) -> None:
    if not answer.is_success:
        raise Rejected(answer.errors)
    print_result({"status": answer.status}, "done", as_json)


@dmp.command()
@click.argument("unique_id")
@click.option("--undo", is_flag=True, help="Unmask it.")
@url_option
@proof_options
@json_option
def mask(unique_id: str, undo: bool, url: str, proof: Proof, as_json: bool) -> None:
    """Mask a document to professionals [TD3.3a], by a new version of its metadata [ITI-57].

    \b
    carnet dmp mask 2.25.1234567890 --assertion vihf.xml
    """
    entry = _entry(url, proof, unique_id)
    _updated(DmpClient(url, proof=proof).restrict(entry, *(() if undo else (MASKED,))), as_json)


@dmp.command()
@click.argument("unique_id")
@click.argument("status", type=click.Choice(list(_STATUSES)))
@url_option
@proof_options
@json_option
def status(unique_id: str, status: str, url: str, proof: Proof, as_json: bool) -> None:
    """Archive, unarchive or delete a document [TD3.3c, d].

    \b
    carnet dmp status 2.25.1234567890 archived --assertion vihf.xml
    """
    entry = _entry(url, proof, unique_id)
    before = str(entry.availability_status or APPROVED)
    _updated(DmpClient(url, proof=proof).set_status(entry, before=before, after=_STATUSES[status]), as_json)
