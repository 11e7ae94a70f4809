"""`carnet dmp`: what software asks of the record of a person, over SOAP: TD0.2 to TD1.6, TD3.3."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from carnet.dmp_account_commands import ACCOUNT_COMMANDS
from carnet.dmp_answers import print_said
from carnet.dmp_client import DmpClient, Requester
from carnet.dmp_document_commands import DOCUMENT_COMMANDS
from carnet.options import authority_option, json_option, patient_id_of, url_option
from carnet.proof import Proof, proof_options
from hl7v3.person import Person


@click.group()
def dmp() -> None:
    """Ask a server about the record of a person, as software does: existence, authorisation, changes.

    \b
    carnet dmp existence 258063523804186 --url https://localhost:8080 --authorities carnet-pki/trust \\
        --client-certificate carnet-pki/issued/801234567897-authentication.pem --assertion vihf.xml
    carnet dmp authorise --url …
    carnet dmp mask 2.25.1234567890 --url …
    """


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
    print_said(DmpClient(url, proof=proof).existence(patient_id_of(identifier, authority)), as_json)


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
    print_said(DmpClient(url, proof=proof).data(patient_id_of(identifier, authority)), as_json)


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
    print_said(DmpClient(url, proof=proof).authorise(action=action, treating_doctor=treating_doctor), as_json)


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
    print_said(DmpClient(url, proof=proof).records(since=f"{since:%Y%m%d%H%M%S}"), as_json)


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
    print_said(DmpClient(url, proof=proof).professionals(mode=mode), as_json)


def _with(options: Iterable[Callable[[Any], Any]], command: Any) -> Any:
    for option in reversed(tuple(options)):
        command = option(command)
    return command


_TRAITS = (
    click.option("--family", required=True, help="Birth name of the person."),
    click.option("--given", required=True, help="Given name of the person."),
    click.option("--born", required=True, metavar="YYYYMMDD"),
    click.option("--gender", type=click.Choice(["F", "M"]), required=True),
)


def _trait_options(command: Any) -> Any:
    """Who the person is."""
    return _with(_TRAITS, command)


def _person_options(command: Any) -> Any:
    """Whose record, and who acts: what a change of a record names."""
    options = (
        click.argument("identifier", metavar="INS"),
        *_TRAITS,
        click.option("--by", required=True, metavar="ID^FAMILY^GIVEN", help="Who acts: PS_IdNat and names."),
        click.option("--structure", required=True, metavar="ID^NAME", help="Struct_IdNat and name."),
    )
    return _with(options, command)


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
    print_said(DmpClient(url, proof=proof).create(patient, _person(**person), _requester(by, structure)), as_json)


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
    print_said(DmpClient(url, proof=proof).close(patient, _person(**person), who, reason=reason), as_json)


@dmp.command()
@_person_options
@authority_option
@url_option
@proof_options
@json_option
def reactivate(
    identifier: str, authority: str, by: str, structure: str, url: str, proof: Proof, as_json: bool, **person: str
) -> None:
    """Reactivate a closed record with the person's consent [TD1.2].

    \b
    carnet dmp reactivate 258063523804186 --family EXEMPLE --given ANNE --born 19580614 --gender F \\
        --by '801234567897^VILLARD^ÉLISE' --structure '1690000014^Clinique des Tilleuls' --assertion vihf.xml
    """
    patient = patient_id_of(identifier, authority)
    print_said(DmpClient(url, proof=proof).reactivate(patient, _person(**person), _requester(by, structure)), as_json)


@dmp.command()
@_person_options
@click.option("--telecom", "telecoms", multiple=True, help="Where to reach the person, tel:… or mailto:…, repeated.")
@click.option("--opposes-break-glass", is_flag=True, help="The person opposes break-glass.")
@click.option("--opposes-regulation", is_flag=True, help="The person opposes access by regulators of emergency calls.")
@authority_option
@url_option
@proof_options
@json_option
def change(
    identifier: str,
    authority: str,
    by: str,
    structure: str,
    telecoms: tuple[str, ...],
    opposes_break_glass: bool,
    opposes_regulation: bool,
    url: str,
    proof: Proof,
    as_json: bool,
    **person: str,
) -> None:
    """Change administrative data and oppositions [TD1.3b]. Both oppositions are said: without its option, none.

    \b
    carnet dmp change 258063523804186 --family EXEMPLE --given ANNE --born 19580614 --gender F \\
        --telecom mailto:anne@example.org --opposes-break-glass \\
        --by '801234567897^VILLARD^ÉLISE' --structure '1690000014^Clinique des Tilleuls' --assertion vihf.xml
    """
    told = DmpClient(url, proof=proof).change(
        patient_id_of(identifier, authority),
        replace(_person(**person), telecoms=telecoms),
        _requester(by, structure),
        opposes_break_glass=opposes_break_glass,
        opposes_regulation=opposes_regulation,
    )
    print_said(told, as_json)


@dmp.command()
@_trait_options
@url_option
@proof_options
@json_option
def search(url: str, proof: Proof, as_json: bool, **person: str) -> None:
    """Find the person of an emergency call without INS, by traits [TD0.5]; the assertion names a regulator.

    \b
    carnet vihf make --purpose centre-15 … > vihf.xml
    carnet dmp search --family EXEMPLE --given ANNE --born 19580614 --gender F --assertion vihf.xml
    """
    print_said(DmpClient(url, proof=proof).look_for(_person(**person)), as_json)


for command in (*ACCOUNT_COMMANDS, *DOCUMENT_COMMANDS):
    dmp.add_command(command)
