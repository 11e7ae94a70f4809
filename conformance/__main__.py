"""`python -m conformance …`: one sub-command per kit. Exit code 0: all passed, 1: a step failed, 2: usage."""

import signal
import sys
from typing import NoReturn

import click

from conformance.client.command_line import client, token
from conformance.failures import KitError
from conformance.fhir.command_line import fhir
from conformance.nist.command_line import nist
from conformance.peers.command_line import build_peers, fhir_server, hapi, hl7_validator, ipf, ipf_server
from conformance.population.command_line import data
from conformance.report.command_line import compare, report
from conformance.sentence import sentence_of
from conformance.server.command_line import server
from conformance.usage import told

USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def commands() -> None:
    """Conformance kits for XDS and MHD servers of any maker, and programs of other makers beside them.

    \b
    python -m conformance client --help
    python -m conformance nist --help
    python -m conformance fhir --help
    python -m conformance ipf --help
    """


for command in (
    *(server, client, token, data, report, compare, nist, fhir),
    *(ipf, ipf_server, fhir_server, hapi, hl7_validator, build_peers),
):
    commands.add_command(command)


def main() -> NoReturn:
    """Entry point: known failures end in one sentence, never in a stack trace; told to stop, it stops its servers."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(commands(standalone_mode=False) or 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as problem:
        click.echo(told(problem, commands, sys.argv[1:]), err=True)
        sys.exit(USAGE)
    except KitError as problem:
        click.echo(f"conformance: {problem}", err=True)
        sys.exit(USAGE)
    except OSError as problem:
        click.echo(f"conformance: {sentence_of(problem)}", err=True)
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
