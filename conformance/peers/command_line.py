"""`python -m conformance ipf | ipf-server | fhir-server | hapi | hl7-validator | build-peers`: others' programs."""

import os
import sys
from typing import NoReturn

import click

from conformance.peers import fhir_server as plain
from conformance.peers import hapi_client
from conformance.peers.hl7_validator import VALIDATOR
from conformance.peers.ipf_client import CLIENT
from conformance.peers.ipf_server import SERVER
from conformance.peers.maven_build import FHIR_SERVER, HAPI, IPF, PEERS, Peer, build, is_built, java_command

# Java reads the options itself, `--help` among them.
_PASSED_ON = {"ignore_unknown_options": True}


@click.command(context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf(arguments: tuple[str, ...]) -> None:
    """A client made of IPF sends every transaction and judges the answers (Java 17, Maven)."""
    _become(IPF, CLIENT, arguments)


@click.command(name="ipf-server", context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf_server(arguments: tuple[str, ...]) -> None:
    """A small registry and repository made of IPF (Java 17, Maven)."""
    _become(IPF, SERVER, arguments)


@click.command(name="fhir-server")
@click.argument("port", type=click.IntRange(0, 65535), default=0)
def fhir_server(port: int) -> None:
    """A plain FHIR R4 server made of HAPI, in memory, on loopback (Java 17, Maven).

    \b
    python -m conformance fhir-server 8090
    """
    _become(FHIR_SERVER, plain.SERVER, (str(port),))


@click.command(context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hapi(arguments: tuple[str, ...]) -> None:
    """The HAPI FHIR client feeds and reads an MHD server and judges the answers (Java 17, Maven)."""
    _become(HAPI, hapi_client.CLIENT, arguments)


@click.command(name="hl7-validator", context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hl7_validator(arguments: tuple[str, ...]) -> None:
    """The validator of HL7 over a batch of resources, without network (Java 17, Maven)."""
    _become(HAPI, VALIDATOR, arguments)


@click.command(name="build-peers")
def build_peers() -> None:
    """Build the peers that are made in Java, and stop.

    \b
    python -m conformance build-peers
    """
    for peer in PEERS:
        _built(peer)
        click.echo(f"built: {peer.name}")


def _built(peer: Peer) -> None:
    if not is_built(peer):
        click.echo(f"Building {peer.name} (once; the first time fetches {peer.fetched} of libraries) ...", err=True)
        build(peer)


def _become(peer: Peer, main_class: str, arguments: tuple[str, ...]) -> NoReturn:
    """Java takes the place of this process, so that signals and the exit code are its own."""
    _built(peer)
    command = java_command(peer, main_class, *arguments)
    sys.stderr.flush()
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
