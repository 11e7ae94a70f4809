"""`carnet dmp account`, `channel`, `password`: the web account of the person that the assertion names. TD1.5."""

import click

from carnet.dmp_answers import print_said
from carnet.dmp_client import DmpClient
from carnet.options import json_option, url_option
from carnet.proof import Proof, proof_options

_CHANNELS = ("EMAIL", "SMS")


@click.command()
@click.argument("channel")
@click.option("--kind", type=click.Choice(_CHANNELS), default="EMAIL", show_default=True)
@url_option
@proof_options
@json_option
def account(channel: str, kind: str, url: str, proof: Proof, as_json: bool) -> None:
    """Create the web account of the person that the assertion names [TD1.5a]; login and password are told once.

    One-time passwords go to CHANNEL.

    \b
    carnet dmp account anne@example.org --assertion vihf.xml
    carnet dmp account 0639981234 --kind SMS --assertion vihf.xml
    """
    print_said(DmpClient(url, proof=proof).create_access(channel=channel, kind=kind), as_json)


@click.command()
@click.argument("channel", default="")
@click.option("--kind", type=click.Choice(_CHANNELS), required=True)
@click.option(
    "--action", type=click.Choice(["AJOUT", "MODIFICATION", "SUPPRESSION"]), default="AJOUT", show_default=True
)
@url_option
@proof_options
@json_option
def channel(channel: str, kind: str, action: str, url: str, proof: Proof, as_json: bool) -> None:
    """Say where one-time passwords of the web account go, or no longer go [TD1.5b].

    \b
    carnet dmp channel 0639981234 --kind SMS --assertion vihf.xml
    carnet dmp channel --kind SMS --action SUPPRESSION --assertion vihf.xml
    """
    print_said(DmpClient(url, proof=proof).change_channel(channel=channel, kind=kind, action=action), as_json)


@click.command()
@url_option
@proof_options
@json_option
def password(url: str, proof: Proof, as_json: bool) -> None:
    """Another login and password of the web account of the person that the assertion names [TD1.5d].

    \b
    carnet dmp password --assertion vihf.xml
    """
    print_said(DmpClient(url, proof=proof).renew_access(), as_json)


ACCOUNT_COMMANDS = (account, channel, password)
