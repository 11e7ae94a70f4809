"""Commands of a client: push, find, get."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from access_policy.make_submission_signature import DIGESTS
from carnet.fhir_client import FhirClient
from carnet.options import authority_option, json_option, patient_id_of, print_result, registry_option, url_option
from carnet.pki_folder import read_credential
from carnet.proof import Proof, proof_options
from carnet.reports import Report, read_report
from carnet.signing import signed_submission
from carnet.xds_answers import Answer
from carnet.xds_client import XdsClient
from cda.unreadable import UnreadableDocument
from xds.datatypes import Code
from xds.errors import Rejected
from xds.failure import Failure

REFUSED = 1
_PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


def _report(file: Path, *, entry_uuid: str) -> Report:
    """A report with its metadata. Raises Failure and Rejected, which name the file."""
    try:
        return read_report(file.read_bytes(), entry_uuid=entry_uuid)
    except UnreadableDocument as problem:
        raise Failure(f"{file}: {problem}") from problem
    except Rejected as rejected:
        raise Rejected(replace(error, context=f"{file}: {error.context}") for error in rejected.errors) from rejected


def _code(text: str) -> Code:
    try:
        return Code.parse(text)
    except ValueError as problem:
        raise click.UsageError(f"{text}: {problem}") from None


_token_option = click.option(
    "--token", type=_PATH, help="Token (JWT) to show with --fhir, as carnet token make prints it."
)


def _over_fhir(proof: Proof, token: Path | None, *, fhir: bool) -> Proof:
    """With the token of a file. Raises click.UsageError: SOAP has none."""
    if token is None:
        return proof
    if not fhir:
        raise click.UsageError("--token goes with --fhir; SOAP shows an --assertion")
    return replace(proof, token=token.read_text(encoding="utf-8").strip())


@click.command()
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
@click.option("--fhir", is_flag=True, help="Push by MHD [ITI-65] instead of XDS.")
@_token_option
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
    fhir: bool,
    token: Path | None,
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
    carnet push report.xml --fhir --token token.txt
    """
    shown, code = _over_fhir(proof, token, fhir=fhir), _code(content_type)
    reports = [_report(file, entry_uuid=f"Document{number:02}") for number, file in enumerate(files, start=1)]
    kind = Code(code=code.code, coding_scheme=code.coding_scheme, display_name=code.code)
    if fhir:
        if signer is not None:
            raise click.UsageError("--sign: a signature goes with a submission of XDS")
        places = FhirClient(url, proof=shown).push(reports, content_type=kind, submission_unique_id=submission)
        told = [{"file": str(file), "address": place} for file, place in zip(files, places, strict=True)]
        print_result({"documents": told}, f"pushed {len(files)} document(s)", as_json)
        return
    answer = XdsClient(url, registry=registry, proof=proof).push(
        reports,
        content_type=kind,
        submission_unique_id=submission,
        sign=None if signer is None else partial(signed_submission, signer=read_credential(signer, key), digest=digest),
    )
    documents = [{"file": str(f), "uniqueId": r.entry.unique_id} for f, r in zip(files, reports, strict=True)]
    sentence = f"pushed {len(files)} document(s)" + (", stored by an earlier attempt" * answer.was_stored_before)
    _finish(answer, {"documents": documents}, sentence, as_json)


@click.command()
@click.argument("identifier", metavar="INS")
@authority_option
@click.option("--fhir", is_flag=True, help="Ask by MHD [ITI-67] instead of a stored query [ITI-18].")
@click.option("--type", "type_code", help="typeCode, code^^scheme, e.g. 11502-2^^2.16.840.1.113883.6.1.")
@click.option("--all", "deprecated_too", is_flag=True, help="Replaced documents too.")
@_token_option
@url_option
@proof_options
@json_option
def find(
    identifier: str,
    authority: str,
    fhir: bool,
    type_code: str | None,
    deprecated_too: bool,
    token: Path | None,
    url: str,
    proof: Proof,
    as_json: bool,
) -> None:
    """Find the documents of a patient.

    \b
    carnet find 258063523804186
    carnet find 258063523804186 --fhir --type '11502-2^^2.16.840.1.113883.6.1' --json
    carnet find 258063523804186 --fhir --token token.txt
    carnet find 258063523804186 --url https://localhost:8080 --authorities carnet-pki/trust --assertion vihf.xml \\
        --client-certificate carnet-pki/issued/801234567897-authentication.pem
    """
    patient_id, wanted = patient_id_of(identifier, authority), _code(type_code) if type_code else None
    shown = _over_fhir(proof, token, fhir=fhir)
    if fhir:
        rows = FhirClient(url, proof=shown).find(patient_id, type_code=wanted, deprecated_too=deprecated_too)
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


@click.command()
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

    Size and hash are compared with its metadata; where they differ, nothing is written and the exit code is 1.

    \b
    carnet get 2.25.1234567890 -o report.xml
    """
    client = XdsClient(url, registry=registry, proof=proof)
    content = client.document(client.document_entry(unique_id), repository=repository)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


def _finish(answer: Answer, result: dict[str, Any], sentence: str, as_json: bool) -> None:
    errors = [{"code": str(e.code), "context": e.context, "location": e.location} for e in answer.errors]
    if not answer.is_success and not as_json:
        raise Rejected(answer.errors)
    print_result({**result, "status": answer.status, "errors": errors}, sentence, as_json)
    if not answer.is_success:
        raise click.exceptions.Exit(REFUSED)


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
