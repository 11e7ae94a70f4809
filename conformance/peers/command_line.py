"""`python -m conformance ipf | ipf-server | build-peers`: programs of other makers, run against any server."""

import os
import sys
from typing import NoReturn

import click

from conformance.peers.ipf_build import CLIENT, SERVER, build, is_built, java_command

# Java reads the options itself, `--help` among them.
_PASSED_ON = {"ignore_unknown_options": True}


@click.command(context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf(arguments: tuple[str, ...]) -> None:
    """A client made of IPF sends every transaction and judges the answers (Java 17, Maven)."""
    _become(CLIENT, arguments)


@click.command(name="ipf-server", context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf_server(arguments: tuple[str, ...]) -> None:
    """A small registry and repository made of IPF (Java 17, Maven)."""
    _become(SERVER, arguments)


@click.command(name="build-peers")
def build_peers() -> None:
    """Build the IPF client and server, and stop.

    \b
    python -m conformance build-peers
    """
    _built()
    click.echo("built: the IPF client and server")


def _built() -> None:
    if not is_built():
        click.echo("Building the IPF client and server (once; the first time fetches 50 MB of libraries) ...", err=True)
        build()


def _become(main_class: str, arguments: tuple[str, ...]) -> NoReturn:
    """Java takes the place of this process, so that signals and the exit code are its own."""
    _built()
    command = java_command(main_class, *arguments)
    sys.stderr.flush()
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
