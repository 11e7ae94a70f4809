"""`python -m conformance.peers …`: run a peer against any server. Exit code 0: passed, 1: a step failed, 2: usage."""

import subprocess
import sys
from typing import NoReturn

import click

from conformance.peers import ipf_client

USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def commands() -> None:
    """Programs of other makers, driven against an IHE XDS registry and repository.

    \b
    python -m conformance.peers ipf --list
    python -m conformance.peers ipf --registry http://127.0.0.1:8080/xds/registry \\
        --repository http://127.0.0.1:8080/xds/repository --patient 'TEST-42^^^&1.3.6.1.4.1.21367.13.20.1000&ISO'
    """


@commands.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ipf(arguments: tuple[str, ...]) -> int:
    """The IPF client (Java 17, Maven): `ipf --help` shows its options."""
    _build()
    return subprocess.run(ipf_client.java_command(ipf_client.CLIENT, *arguments), check=False).returncode


@commands.command()
def build() -> None:
    """Build the peers and stop."""
    _build()
    click.echo("built: the IPF peer")


def _build() -> None:
    if not ipf_client.is_built():
        click.echo("Building the IPF peer (once; the first time fetches 45 MB of libraries) ...", err=True)
        ipf_client.build()


def main() -> NoReturn:
    """Entry point: known failures end in one sentence, never in a stack trace."""
    try:
        sys.exit(commands(standalone_mode=False) or 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(USAGE)
    except ipf_client.PeerError as problem:
        click.echo(f"conformance.peers: {problem}", err=True)
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
