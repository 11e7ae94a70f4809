"""The command `carnet`. Exit code 0: done, 1: refused or failed, 2: usage or settings."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from access_policy.make_submission_signature import DIGESTS
from carnet.address import CannotListen, with_port
from carnet.audit_commands import audit
from carnet.backup_commands import backup_command, restore_command
from carnet.cda_commands import cda
from carnet.directory_commands import directory
from carnet.exchange import ClientError
from carnet.existing_stores import existing_registry
from carnet.fhir_client import FhirClient
from carnet.job_commands import jobs
from carnet.media_commands import export, import_
from carnet.on_demand_commands import on_demand
from carnet.options import (
    authority_option,
    json_option,
    patient_id_of,
    print_result,
    registry_option,
    settings_options,
    url_option,
)
from carnet.patient_commands import patient
from carnet.pki_commands import pki
from carnet.pki_folder import PkiFailed, read_credential
from carnet.policy_commands import policy
from carnet.proof import Proof, proof_options
from carnet.recipient_commands import recipient
from carnet.record_commands import record
from carnet.reports import Report, read_report
from carnet.settings import Settings, SettingsError
from carnet.signing import signed_submission
from carnet.statistics_commands import stats
from carnet.storage_commands import documents, fsck, gc
from carnet.vihf_commands import vihf
from carnet.wiring import open_units
from carnet.xds_client import Answer, XdsClient
from cda.document import UnreadableDocument
from cda.schematron import SchemaError
from dmp.directory import DirectoryRefused
from dmp.refusal import RecordRefused
from portable_media.iti32_distribute_document_set_on_media import ExportFailed
from portable_media.medium import MediumRefused
from registry.rerendering import render_everything
from repository.registration import RegistryNotAvailable
from storage import migrate
from storage.engine import UnsafeDatabase, open_engine
from storage.unit_of_work import StorageFailed
from xds.datatypes import Code
from xds.errors import RegistryError, Rejected

REFUSED, USAGE = 1, 2
KNOWN_FAILURES = (
    *(CannotListen, ClientError, UnreadableDocument, SchemaError, ExportFailed, MediumRefused),
    *(PkiFailed, RegistryNotAvailable, StorageFailed, RecordRefused, DirectoryRefused),
)
_PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


def main() -> NoReturn:
    """Entry point: known failures end in one sentence, never in a stack trace."""
    try:
        code = commands(standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(USAGE)
    except (SettingsError, UnsafeDatabase) as problem:
        _fail(str(problem), USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except KNOWN_FAILURES as problem:
        _fail(str(problem), REFUSED)
    except OSError as problem:
        _fail(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem), REFUSED)
    except SQLAlchemyError as problem:
        _fail(f"the database cannot be used: {_first_line(problem)}", REFUSED)
    except Rejected as rejected:
        _print_errors(rejected.errors)
        sys.exit(REFUSED)
    # click hands over the code of an Exit instead of raising it
    sys.exit(code if isinstance(code, int) else 0)


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


for command in (
    cda,
    patient,
    record,
    jobs,
    directory,
    policy,
    stats,
    recipient,
    on_demand,
    pki,
    vihf,
    export,
    import_,
    documents,
    fsck,
    gc,
    audit,
    backup_command,
    restore_command,
):
    commands.add_command(command)


def _report(file: Path, *, entry_uuid: str) -> Report:
    """A report with its metadata. Raises UnreadableDocument and Rejected, which name the file."""
    try:
        return read_report(file.read_bytes(), entry_uuid=entry_uuid)
    except UnreadableDocument as problem:
        raise UnreadableDocument(f"{file}: {problem}") from problem
    except Rejected as rejected:
        raise Rejected(replace(error, context=f"{file}: {error.context}") for error in rejected.errors) from rejected


@commands.command()
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
    from carnet.server import serve as run

    run(with_port(settings), lambda url: click.echo(f"Carnet listens on {url}, Ctrl-C stops it", err=True))


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
@click.option("--submission", default="", help="uniqueId of the submission: that of an attempt whose answer was lost.")
@click.option("--sign", "signer", type=_PATH, help="Sign with this certificate, PEM: card of an author, or seal.")
@click.option("--key", type=_PATH, help="Its private key, PEM; default the .key file beside the certificate.")
@click.option(
    "--digest", type=click.Choice(DIGESTS), default="sha1", show_default=True, help="Digest of the signature."
)
@url_option
@proof_options
@registry_option
@json_option
def push(
    files: tuple[Path, ...],
    content_type: str,
    submission: str,
    signer: Path | None,
    key: Path | None,
    digest: str,
    url: str,
    proof: Proof,
    registry: str,
    as_json: bool,
) -> None:
    """Push CDA reports as one submission by Provide and Register [ITI-41]; metadata comes from their headers.

    A report whose header says that it replaces another one is linked to it. An attempt whose answer is lost is
    repeated; a submission that turns out to be stored already is done.

    \b
    carnet push examples/reports/cr-consultation.xml
    carnet push *.xml --url http://127.0.0.1:9000 --json
    carnet push *.xml --url http://127.0.0.1:8081 --registry http://127.0.0.1:8080
    carnet push report.xml --sign carnet-pki/issued/801234567897-signature.pem --assertion vihf.xml
    """
    code = _code(content_type)
    reports = [_report(file, entry_uuid=f"Document{number:02}") for number, file in enumerate(files, start=1)]
    answer = XdsClient(url, registry=registry, proof=proof).push(
        reports,
        content_type=Code(code=code.code, coding_scheme=code.coding_scheme, display_name=code.code),
        submission_unique_id=submission,
        sign=None if signer is None else partial(signed_submission, signer=read_credential(signer, key), digest=digest),
    )
    documents = [{"file": str(f), "uniqueId": r.entry.unique_id} for f, r in zip(files, reports, strict=True)]
    sentence = f"pushed {len(files)} document(s)" + (", stored by an earlier attempt" * answer.was_stored_before)
    _finish(answer, {"documents": documents}, sentence, as_json)


@commands.command()
@click.argument("identifier", metavar="INS")
@authority_option
@click.option("--fhir", is_flag=True, help="Ask by MHD [ITI-67] instead of a stored query [ITI-18].")
@click.option("--type", "type_code", help="typeCode, code^^scheme, e.g. 11502-2^^2.16.840.1.113883.6.1.")
@click.option("--all", "deprecated_too", is_flag=True, help="Replaced documents too.")
@url_option
@proof_options
@json_option
def find(
    identifier: str,
    authority: str,
    fhir: bool,
    type_code: str | None,
    deprecated_too: bool,
    url: str,
    proof: Proof,
    as_json: bool,
) -> None:
    """Find the documents of a patient.

    \b
    carnet find 258063523804186
    carnet find 258063523804186 --fhir --type '11502-2^^2.16.840.1.113883.6.1' --json
    carnet find 258063523804186 --url https://localhost:8080 --authorities carnet-pki/trust --assertion vihf.xml \\
        --client-certificate carnet-pki/issued/801234567897-authentication.pem
    """
    patient_id, wanted = patient_id_of(identifier, authority), _code(type_code) if type_code else None
    if fhir:
        rows = FhirClient(url, proof=proof).find(patient_id, type_code=wanted, deprecated_too=deprecated_too)
    else:
        answer = XdsClient(url, proof=proof).find_documents(patient_id, type_code=wanted, deprecated_too=deprecated_too)
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
@url_option
@proof_options
@registry_option
def get(unique_id: str, output: Path | None, repository: str, url: str, proof: Proof, registry: str) -> None:
    """Retrieve a document by its uniqueId [ITI-43], byte for byte.

    \b
    carnet get 2.25.1234567890 -o report.xml
    """
    client = XdsClient(url, registry=registry, proof=proof)
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
@settings_options("data", "database")
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


@db.command("rerender")
@settings_options("data", "database", "domain", "codes")
def db_rerender(settings: Settings) -> None:
    """Render every stored object anew, beside a running server: after an upgrade that renders more than before.

    \b
    carnet db rerender --data ./carnet-data
    """
    done, console = 0, Console(stderr=True)
    with existing_registry(settings) as registry, console.status("rendering") as shown:
        for number in render_everything(registry):
            done += number
            shown.update(f"{done} objects rendered")
    click.echo(f"{done} objects rendered")


@commands.command()
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
    from carnet.demo import run

    sys.exit(run(port=port, data=Path(data), reports=Path(reports), keep_running=not check))


def _finish(answer: Answer, result: dict[str, Any], sentence: str, as_json: bool) -> None:
    errors = [{"code": str(e.code), "context": e.context, "location": e.location} for e in answer.errors]
    if not answer.is_success and not as_json:
        raise Rejected(answer.errors)
    print_result({**result, "status": answer.status, "errors": errors}, sentence, as_json)
    if not answer.is_success:
        raise click.exceptions.Exit(REFUSED)


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
