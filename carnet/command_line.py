"""The command `carnet`. Exit code 0: done, 1: refused or failed, 2: usage or settings."""

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from carnet import settings as carnet_settings
from carnet.address import CannotListen, with_port
from carnet.domains import TEST_INS_AUTHORITY
from carnet.fhir_client import FhirClient
from carnet.reports import read_report
from carnet.settings import Settings, SettingsError
from carnet.wiring import open_registry, open_units
from carnet.xds_client import Answer, ClientError, XdsClient
from cda.document import UnreadableDocument
from storage import migrate
from storage.engine import UnsafeDatabase, open_engine
from storage.unit_of_work import StorageFailed
from xds.datatypes import CX, Code
from xds.errors import RegistryError, Rejected

REFUSED, USAGE = 1, 2
DEFAULT_URL = "http://127.0.0.1:8080"


def main() -> NoReturn:
    """Entry point: known failures end in one sentence, never in a stack trace."""
    try:
        commands(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(USAGE)
    except (SettingsError, UnsafeDatabase) as problem:
        _fail(str(problem), USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (CannotListen, ClientError, UnreadableDocument, StorageFailed) as problem:
        _fail(str(problem), REFUSED)
    except OSError as problem:
        _fail(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem), REFUSED)
    except SQLAlchemyError as problem:
        _fail(f"the database cannot be used: {_first_line(problem)}", REFUSED)
    except Rejected as rejected:
        _print_errors(rejected.errors)
        sys.exit(REFUSED)
    sys.exit(0)


def _first_line(problem: SQLAlchemyError) -> str:
    """What the database or its driver says; never the statement or its parameters."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    return str(cause).partition("\n")[0]


def _fail(sentence: str, code: int) -> NoReturn:
    click.echo(f"carnet: {sentence}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="carnet")
def commands() -> None:
    """Carnet: IHE XDS.b registry and repository with an MHD/FHIR facade.

    \b
    carnet serve --security open
    carnet patient add 258063523804186
    carnet push examples/reports/*.xml
    carnet find 258063523804186
    """


def _settings_options(*only: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One option per setting, and `--config`; the command gets a checked `Settings`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(config: str | None, **given: Any) -> None:
            chosen = {name: given.pop(name) for name in names}
            command(carnet_settings.load(chosen, config=config), **given)

        names = [one.name for one in fields(Settings) if not only or one.name in only]
        decorated: Callable[..., None] = run
        for one in reversed(fields(Settings)):
            if one.name in names:
                decorated = _option(one)(decorated)
        decorated = click.option("--config", metavar="FILE", help="TOML file with settings.")(decorated)
        decorated.__doc__, decorated.__name__ = command.__doc__, command.__name__
        for parameter in getattr(command, "__click_params__", []):
            decorated.__click_params__.append(parameter)  # type: ignore[attr-defined]
        return decorated

    return decorate


def _option(one: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name, choices = one.name.replace("_", "-"), one.metadata["choices"]
    meaning = f"{one.metadata['meaning'].capitalize()}." + (f" [default: {one.default}]" if one.default != "" else "")
    if isinstance(one.default, bool):
        return click.option(f"--{name}/--no-{name}", default=None, help=meaning)
    kind = click.Choice(choices) if choices else type(one.default)
    return click.option(f"--{name}", type=kind, default=None, help=meaning)


_STORE = ("data", "database", "documents", "domain", "check_codes", "repository_id")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_url = click.option("--url", default=DEFAULT_URL, show_default=True, help="URL of the server.")
_authority = click.option(
    "--authority", default=TEST_INS_AUTHORITY, show_default=True, help="OID that assigned the identifier (test INS)."
)


@commands.command()
@_settings_options()
def serve(settings: Settings) -> None:
    """Run the server.

    \b
    carnet serve --security open
    carnet serve --security open --port 9000 --data /srv/carnet
    carnet serve --security open --database postgresql+psycopg://carnet@localhost/carnet --workers 2
    """
    from carnet.server import serve as run

    run(with_port(settings), lambda url: click.echo(f"Carnet listens on {url}, Ctrl-C stops it", err=True))


@commands.group()
def patient() -> None:
    """Patient identifiers known to the registry."""


@patient.command("add")
@click.argument("identifier")
@_authority
@_as_json
@_settings_options(*_STORE)
def patient_add(settings: Settings, identifier: str, authority: str, as_json: bool) -> None:
    """Make a patient known: an INS, or a whole CX id^^^&OID&ISO.

    \b
    carnet patient add 258063523804186
    carnet patient add 'TEST-42^^^&1.3.6.1.4.1.21367.13.20.1000&ISO' --domain ihe
    """
    patient_id = _patient_id(identifier, authority)
    registry = open_registry(settings)
    try:
        problem = registry.domain.patient_id_problem(patient_id)
        if problem:
            raise click.UsageError(f"{identifier}: {problem}")
        added = registry.units.write(lambda unit: registry.add_patient(unit, patient_id))
    finally:
        registry.units.close()
    _print({"patient": patient_id.key, "added": added}, "patient added" if added else "patient was known", as_json)


def _patient_id(identifier: str, authority: str) -> CX:
    try:
        return CX.parse(identifier) if "^" in identifier else CX.of(id=identifier, authority=authority)
    except ValueError as problem:
        raise click.UsageError(f"{identifier}: {problem}") from None


def _code(text: str) -> Code:
    try:
        return Code.parse(text)
    except ValueError as problem:
        raise click.UsageError(f"{text}: {problem}") from None


@commands.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--content-type", default="07^^1.2.250.1.213.2.2", show_default=True, help="contentTypeCode, code^^scheme."
)
@_url
@_as_json
def push(files: tuple[Path, ...], content_type: str, url: str, as_json: bool) -> None:
    """Push CDA reports as one submission by Provide and Register [ITI-41]; metadata comes from their headers.

    A report whose header says that it replaces another one is linked to it.

    \b
    carnet push examples/reports/cr-consultation.xml
    carnet push *.xml --url http://127.0.0.1:9000 --json
    """
    code = _code(content_type)
    reports = [
        read_report(file.read_bytes(), entry_uuid=f"Document{number:02}") for number, file in enumerate(files, start=1)
    ]
    answer = XdsClient(url).push(
        reports, content_type=Code(code=code.code, coding_scheme=code.coding_scheme, display_name=code.code)
    )
    documents = [{"file": str(f), "uniqueId": r.entry.unique_id} for f, r in zip(files, reports, strict=True)]
    _finish(answer, {"documents": documents}, f"pushed {len(files)} document(s)", as_json)


@commands.command()
@click.argument("identifier", metavar="INS")
@_authority
@click.option("--fhir", is_flag=True, help="Ask by MHD [ITI-67] instead of a stored query [ITI-18].")
@click.option("--type", "type_code", help="typeCode, code^^scheme, e.g. 11502-2^^2.16.840.1.113883.6.1.")
@click.option("--all", "deprecated_too", is_flag=True, help="Replaced documents too.")
@_url
@_as_json
def find(
    identifier: str, authority: str, fhir: bool, type_code: str | None, deprecated_too: bool, url: str, as_json: bool
) -> None:
    """Find the documents of a patient.

    \b
    carnet find 258063523804186
    carnet find 258063523804186 --fhir --type '11502-2^^2.16.840.1.113883.6.1' --json
    """
    patient_id, wanted = _patient_id(identifier, authority), _code(type_code) if type_code else None
    if fhir:
        rows = FhirClient(url).find(patient_id, type_code=wanted, deprecated_too=deprecated_too)
    else:
        answer = XdsClient(url).find_documents(patient_id, type_code=wanted, deprecated_too=deprecated_too)
        if not answer.is_success:
            raise Rejected(answer.errors)
        rows = [_row(entry) for entry in answer.documents]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    _print_table(rows)


def _row(entry: Any) -> dict[str, str]:
    return {
        "uniqueId": entry.unique_id or "",
        "title": entry.title or "",
        "type": entry.type_code.display_name if entry.type_code else "",
        "created": str(entry.creation_time or ""),
        "status": str(entry.availability_status or "").rpartition(":")[2],
    }


@commands.command()
@click.argument("unique_id")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default standard output."
)
@click.option("--repository", default="", help="repositoryUniqueId; default the one the registry names.")
@_url
def get(unique_id: str, output: Path | None, repository: str, url: str) -> None:
    """Retrieve a document by its uniqueId [ITI-43], byte for byte.

    \b
    carnet get 2.25.1234567890 -o report.xml
    """
    client = XdsClient(url)
    answer = client.retrieve([unique_id], repository=repository or client.repository_of(unique_id))
    if not answer.contents:
        raise Rejected(answer.errors)
    if output is None:
        sys.stdout.buffer.write(answer.contents[0])
    else:
        output.write_bytes(answer.contents[0])


@commands.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@_settings_options("data", "database")
def db_upgrade(settings: Settings) -> None:
    """Bring the database to the schema this version needs; harmless when it has it.

    \b
    carnet db upgrade --database postgresql+psycopg://carnet@localhost/carnet
    """
    open_units(settings).close()
    engine = open_engine(settings.database_url)
    with engine.connect() as connection:
        click.echo(f"database at revision {migrate.revision(connection)}")
    engine.dispose()


@commands.command()
@click.option("--check", is_flag=True, help="Stop the server at the end; exit code 0 when all steps succeeded, else 1.")
@click.option("--port", default=8080, show_default=True, help="Port of the server.")
@click.option("--data", default="./carnet-data/demo", show_default=True, help="Folder of its database and documents.")
@click.option("--reports", default="examples/reports", show_default=True, help="Folder of the reports to push.")
def demo(check: bool, port: int, data: str, reports: str) -> None:
    """Start a server on loopback, push three reports, find and read them through both doors.

    \b
    carnet demo
    carnet demo --check --port 0
    """
    from carnet.demo import run

    sys.exit(run(port=port, data=Path(data), reports=Path(reports), keep_running=not check))


def _finish(answer: Answer, result: dict[str, Any], sentence: str, as_json: bool) -> None:
    errors = [{"code": str(e.code), "context": e.context, "location": e.location} for e in answer.errors]
    if not answer.is_success and not as_json:
        raise Rejected(answer.errors)
    _print({**result, "status": answer.status, "errors": errors}, sentence, as_json)
    if not answer.is_success:
        raise click.exceptions.Exit(REFUSED)


def _print(result: dict[str, Any], sentence: str, as_json: bool) -> None:
    click.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else sentence)


def _print_errors(errors: tuple[RegistryError, ...]) -> None:
    for error in errors:
        click.echo(f"carnet: {error.code}: {error.context}", err=True)


def _print_table(rows: list[dict[str, str]]) -> None:
    """A table on a terminal; a pipe gets one line per document, fields separated by tabs."""
    cells = [(row["title"], row["type"], _shown_time(row["created"]), row["status"], row["uniqueId"]) for row in rows]
    if not sys.stdout.isatty():
        click.echo("".join("\t".join(line) + "\n" for line in cells), nl=False)
        return
    table = Table("title", "type", "created", "status")
    table.add_column("uniqueId", no_wrap=True, overflow="fold")
    for line in cells:
        table.add_row(*line)
    Console().print(table)


def _shown_time(text: str) -> str:
    return "-".join(part for part in (text[:4], text[4:6], text[6:8]) if part)
