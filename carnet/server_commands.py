"""Commands that run a server: serve, demo."""

import sys
from pathlib import Path

import click

from carnet.address import with_port
from carnet.lazy_commands import importing
from carnet.options import settings_options
from carnet.settings import Settings


@click.command()
@settings_options()
def serve(settings: Settings) -> None:
    """Run the server.

    \b
    carnet serve --certificate carnet-pki/issued/localhost-server.pem --trust carnet-pki/trust --health 127.0.0.1:8081
    carnet serve --host unix:/run/carnet/carnet.sock --base-url https://dmp.example.org --trust /etc/carnet/trust
    carnet serve --security open
    carnet serve --security open --port 9000 --data /srv/carnet
    carnet serve --security open --database postgresql+psycopg://carnet@localhost/carnet --workers 2

    \b
    A registry and a repository in processes of their own, with the secret they share:
    (umask 077; openssl rand -hex 32 > secret)
    carnet serve --security open --roles registry,fhir --data registry --internal-secret-file secret
    carnet serve --security open --roles repository --port 8081 --data repository \\
        --registry-url http://127.0.0.1:8080 --internal-secret-file secret
    """
    with importing():
        from carnet.server import serve as run

    run(with_port(settings), lambda url: click.echo(f"Carnet listens on {url}, Ctrl-C stops it", err=True))


@click.command()
@click.option("--check", is_flag=True, help="Stop the server at the end; exit code 0 when all steps succeeded, else 1.")
@click.option("--port", default=8080, show_default=True, help="Port of the server.")
@click.option("--data", default="./carnet-data/demo", show_default=True, help="Folder of its database and documents.")
@click.option("--reports", default="examples/reports", show_default=True, help="Folder of the reports to push.")
def demo(check: bool, port: int, data: str, reports: str) -> None:
    """Start a server on loopback, push three signed reports over mutual TLS, find and read them through both doors.

    \b
    carnet demo
    carnet demo --check --port 0
    """
    with importing():
        from carnet.demo import run

    sys.exit(run(port=port, data=Path(data), reports=Path(reports), keep_running=not check))
