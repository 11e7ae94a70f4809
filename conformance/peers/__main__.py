"""`python -m conformance.peers …`: run a peer against any server. Exit code 0: passed, 1: a step failed, 2: usage."""

import subprocess
import sys
from typing import NoReturn

import click

from conformance.peers.ipf_build import CLIENT, SERVER, PeerError, is_built, java_command
from conformance.peers.ipf_build import build as build_ipf

USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def commands() -> None:
    """Programs of other makers, driven against an IHE XDS registry and repository.

    \b
    python -m conformance.peers ipf --list
    python -m conformance.peers ipf --registry http://127.0.0.1:8080/xds/registry \\
        --repository http://127.0.0.1:8080/xds/repository --patient 'TEST-42^^^&1.3.6.1.4.1.21367.13.20.1000&ISO'
    """


def _play(main_class: str, arguments: tuple[str, ...]) -> int:
    _build()
    return subprocess.run(java_command(main_class, *arguments), check=False).returncode


_PASSED_ON = {"ignore_unknown_options": True}


@commands.command(context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf(arguments: tuple[str, ...]) -> int:
    """The IPF client (Java 17, Maven); its options: ipf --help."""
    return _play(CLIENT, arguments)


@commands.command(name="ipf-server", context_settings=_PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf_server(arguments: tuple[str, ...]) -> int:
    """A small registry and repository made of IPF; its options: ipf-server --help."""
    return _play(SERVER, arguments)


@commands.command()
def build() -> None:
    """Build the peers and stop."""
    _build()
    click.echo("built: the IPF peer")


def _build() -> None:
    if not is_built():
        click.echo("Building the IPF peer (once; the first time fetches 50 MB of libraries) ...", err=True)
        build_ipf()


def main() -> NoReturn:
    """Entry point: known failures end in one sentence, never in a stack trace."""
    try:
        sys.exit(commands(standalone_mode=False) or 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(USAGE)
    except PeerError as problem:
        click.echo(f"conformance.peers: {problem}", err=True)
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
