"""`carnet policy`: the reasoning of one decision, the whole tables, what another version would change."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from access_policy.assertion import read_assertion
from access_policy.caller import AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.changes import Change, matrix_changes, rights_changes
from access_policy.decide import Decision, Step, decide, steps
from access_policy.document_facts import DocumentFacts
from access_policy.policy_file import BadPolicy
from access_policy.reasons import reason_of
from access_policy.refusals import Refused
from access_policy.rights import Action
from access_policy.security_header import SAML
from access_policy.tables import Tables, published_matrix, published_rights
from access_policy.vihf import told_caller
from access_policy.vihf_attributes import role_problems
from carnet.authentication import read_vihf_rules
from carnet.caller_json import NoCaller, read_caller
from carnet.existing_stores import existing_registry
from carnet.options import STORE, authority_option, code_of, json_option, patient_id_of, settings_options
from carnet.policy_wiring import policy_file, record_policy, tables_of
from carnet.settings import Settings, SettingsError
from registry.sql.policy_columns import facts_of_document
from xds.datatypes import CX, Code
from xds.xml import BadXml, parse

_TABLES = ("policy_matrix", "policy_rights", "policy_occupational_reading", "policy_pharmacy_reading")
_MODES = {"direct": AuthenticationMode.DIRECT, "indirect": AuthenticationMode.INDIRECT, "air": AuthenticationMode.AIR}
_PURPOSES, _STANDINGS, _ACTIONS = ([str(one) for one in kind] for kind in (PurposeOfUse, Standing, Action))
_WORDS = {"fr": ("oui", "non", "AUTORISÉ", "REFUSÉ"), "en": ("yes", "no", "ALLOWED", "REFUSED")}
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Who may see and do what in the domain dmp: one decision explained, the tables, what changes with new ones.

    \b
    carnet policy explain --caller vihf.xml --patient 258063523804186 --document 2.25.4711
    carnet policy export --table matrix -o matrix.csv
    carnet policy diff matrix-2027.csv
    """


@policy.command("explain")
@settings_options(*STORE, "clock", "vihf_versions", "air_structures", *_TABLES)
@click.option("--caller", "file", type=_existing, help="VIHF, message with one, or a caller as JSON.")
@click.option("--role", "roles", multiple=True, help="Profession, then speciality: code^^system, repeated.")
@click.option("--name", default="", help="PS_IdNat of the caller; INS of a representative.")
@click.option("--structure", default="", help="Struct_IdNat of the caller.")
@click.option("--sector", default="", help="Sector of activity, code^^system.")
@click.option("--mode", type=click.Choice(list(_MODES)), default="direct", show_default=True, help="Authentication.")
@click.option("--purpose", type=click.Choice(_PURPOSES), default=_PURPOSES[0], show_default=True, help="Access mode.")
@click.option("--as", "standing", type=click.Choice(_STANDINGS), default=_STANDINGS[0], show_default=True, help="Who.")
@click.option("--patient", metavar="INS", help="Whose record; default the patient that the assertion names.")
@authority_option
@click.option("--document", metavar="ID", help="uniqueId or entryUUID; default: any document at all.")
@click.option(
    "--action", type=click.Choice(_ACTIONS), default=_ACTIONS[0], show_default=True, help="What is asked for."
)
@click.option("--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="Language.")
@json_option
def explain(settings: Settings, document: str | None, action: str, lang: str, as_json: bool, **given: Any) -> None:
    """Print each question of a decision with its answer, and the rule that decided. Exit code 1 when it refuses.

    \b
    carnet policy explain --caller vihf.xml --document 2.25.4711
    carnet policy explain --role 60^^1.2.250.1.71.1.2.7 --name 899700218896 --patient 258063523804186 \\
        --document 2.25.4711 --action document.mask --lang en
    carnet policy explain --as patient --patient 258063523804186 --document 2.25.4711 --json
    """
    caller = _caller(settings, given)
    rules = record_policy(settings)
    with existing_registry(settings) as registry, registry.units.read() as connection:
        facts = rules.facts(connection, caller)
        judged = None if document is None else _document(connection, document, caller)
    taken = tuple(_until_refused(steps(rules.tables, Action(action), caller, facts, judged)))
    decision = decide(rules.tables, Action(action), caller, facts, judged)
    if as_json:
        told = {"facts": asdict(facts), "document": _as_json(judged), "steps": [asdict(one) for one in taken]}
        click.echo(json.dumps({**told, "decision": asdict(decision)}, ensure_ascii=False, indent=2))
    else:
        _print(taken, decision, lang)
    if not decision.allowed:
        raise click.exceptions.Exit(1)


def _until_refused(taken: Iterator[Step]) -> Iterator[Step]:
    for one in taken:
        yield one
        if not one.passed:
            return


def _print(taken: tuple[Step, ...], decision: Decision, lang: str) -> None:
    yes, no, allowed, refused = _WORDS[lang]
    for one in taken:
        reason = reason_of(one.rule)
        click.echo(f"{yes if one.passed else no:4} {one.rule:60} {reason.french if lang == 'fr' else reason.english}")
    click.echo(f"{allowed if decision.allowed else refused}  {decision.rule}  ({decision.grade})")


def _as_json(document: DocumentFacts | None) -> dict[str, Any] | None:
    if document is None:
        return None
    told = {"type": document.type, "status": str(document.status), "visible_from": document.visible_from}
    traits = [str(one.name) for one in type(document.traits) if document.has(one)]
    return {**told, "traits": traits, "authors": sorted(document.authors), "structures": sorted(document.structures)}


def _caller(settings: Settings, given: dict[str, Any]) -> Caller:
    patient = given["patient"]
    about = patient_id_of(patient, given["authority"]) if patient else None
    caller = _read(settings, given["file"]) if given["file"] else _described(given, about)
    caller = replace(caller, patient_id=about or caller.patient_id)
    if caller.patient_id is None:
        raise click.UsageError("found no patient, expected --patient or an assertion that names one")
    return caller


def _described(given: dict[str, Any], about: CX | None) -> Caller:
    standing, sector = Standing(given["standing"]), given["sector"]
    if standing is Standing.PROFESSIONAL and not given["roles"]:
        raise click.UsageError("found no caller, expected --caller FILE, --role or --as patient")
    name = given["name"] or ("" if about is None or standing is not Standing.PATIENT else about.key)
    if standing is Standing.REPRESENTATIVE and not name:
        raise click.UsageError("--as representative: found no --name, expected the INS of the representative")
    if standing is Standing.REPRESENTATIVE:
        name = patient_id_of(name, given["authority"]).key
    roles = tuple(code_of(one) for one in given["roles"])
    if roles:
        _check_roles(roles)
    purpose = PurposeOfUse(given["purpose"])
    return Caller(
        name=name,
        standing=standing,
        roles=roles,
        organisations=(given["structure"],) if given["structure"] else (),
        sector=code_of(sector) if sector else None,
        mode=_MODES[given["mode"]],
        purpose=purpose,
        purposes=(Code(code=purpose, coding_scheme="1.2.250.1.213.1.1.4.248"),),
    )


def _check_roles(roles: tuple[Code, ...]) -> None:
    """Whom no door lets in, no decision is about: an unknown profession, a doctor without speciality."""
    problems = [one.english for one in role_problems([(one.code, one.coding_scheme) for one in roles])]
    if problems:
        raise click.UsageError(f"--role: {'; '.join(problems)}")


def _read(settings: Settings, file: Path) -> Caller:
    octets = file.read_bytes()
    try:
        if octets.lstrip().startswith(b"{"):
            return read_caller(json.loads(octets))
        found = list(parse(octets).iter(f"{{{SAML}}}Assertion"))
        if len(found) != 1:
            raise click.ClickException(f"{file}: found {len(found)} assertions, expected one")
        return told_caller(read_assertion(found[0]), read_vihf_rules(settings))
    except (BadXml, NoCaller, Refused, ValueError) as problem:
        raise click.ClickException(f"{file}: {problem}") from None
    except RecursionError:
        raise click.ClickException(f"{file}: found JSON that is too deep, expected a caller") from None


def _document(connection: Connection, identifier: str, caller: Caller) -> DocumentFacts:
    """The newest version of a document of this patient."""
    found = facts_of_document(connection, identifier, "" if caller.patient_id is None else caller.patient_id.key)
    if found is None:
        raise click.ClickException(f"{identifier}: found no such document of the patient")
    return found


# --- tables ----------------------------------------------------------------------------------


@policy.command("export")
@settings_options(*_TABLES)
@click.option("--table", type=click.Choice(["matrix", "rights"]), default="matrix", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default standard output.")
@json_option
def export(settings: Settings, table: str, output: Path | None, as_json: bool) -> None:
    """The whole table in force, as CSV that can be loaded again, or JSON.

    \b
    carnet policy export -o matrix.csv
    carnet policy export --table rights --json
    """
    tables = tables_of(settings)
    rows = list(_matrix_rows(tables) if table == "matrix" else _rights_rows(tables))
    version, source = (
        (tables.matrix.version, tables.matrix.source)
        if table == "matrix"
        else (tables.rights.version, tables.rights.source)
    )
    if as_json:
        text = json.dumps({"version": version, "source": source, "rows": rows}, ensure_ascii=False, indent=1) + "\n"
    else:
        text = f"# version: {version}\n# source: {source}\n{_csv(rows)}"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _csv(rows: list[dict[str, str]]) -> str:
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _matrix_rows(tables: Tables) -> Iterator[dict[str, str]]:
    matrix = tables.matrix
    for one in matrix.types:
        key = one.key
        cells = {
            column.id: "1" if matrix.permits(column.id, key, is_imaging=key not in matrix.listed) else "0"
            for column in matrix.columns
        }
        type_ = {"class_code": one.class_code, "type_code": one.code, "type_system": one.system}
        yield {**type_, "type_display": one.display, **cells}


def _rights_rows(tables: Tables) -> Iterator[dict[str, str]]:
    names = ("action", "auth", "actor", "mode", "document_scope")
    for key, grade in tables.rights.cells.items():
        yield {**dict(zip(names, key, strict=True)), "decision": str(grade)}


@policy.command("diff")
@settings_options(*_TABLES)
@click.argument("file", type=_existing)
@json_option
def diff(settings: Settings, file: Path, as_json: bool) -> None:
    """Every decision that another matrix or other rights, in FILE, would change; nothing is loaded.

    \b
    carnet policy diff matrix-2027.csv
    carnet policy diff rights-2027.csv --json
    """
    tables = tables_of(settings)
    try:
        read = policy_file(str(file))
        changes = tuple(_changes(tables, read))
    except BadPolicy as problem:
        raise SettingsError(str(problem)) from problem
    if as_json:
        told = {"version": read.version, "source": read.source, "changes": [asdict(one) for one in changes]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for one in changes:
        click.echo(f"{one.table:7} {one.cell}: {one.before} -> {one.after}")
    click.echo(f"{len(changes)} decisions change with version {read.version}")


def _changes(tables: Tables, read: Any) -> Iterator[Change]:
    if "decision" in read.header:
        return rights_changes(tables.rights, published_rights(read))
    return matrix_changes(tables.matrix, published_matrix(read))
