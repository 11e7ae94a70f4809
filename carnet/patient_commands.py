"""`carnet patient`: identifiers without a feed, for test tools and for operators. ITI TF-2: 3.8."""

import json

import click

from access_policy.caller import Caller
from carnet.existing_stores import existing_registry
from carnet.options import STORE, authority_option, json_option, patient_id_of, print_result, settings_options
from carnet.settings import Settings
from registry import patients
from registry.patients import Source

_OPERATOR = Source(transaction="carnet patient", caller=Caller(name="operator"))


@click.group()
def patient() -> None:
    """Patient identifiers known to the registry."""


@patient.command("add")
@click.argument("identifier")
@authority_option
@json_option
@settings_options(*STORE)
def patient_add(settings: Settings, identifier: str, authority: str, as_json: bool) -> None:
    """Make a patient known: an INS, or a whole CX id^^^&OID&ISO.

    \b
    carnet patient add 258063523804186
    carnet patient add 'TEST-42^^^&1.3.6.1.4.1.21367.13.20.1000&ISO' --domain ihe
    """
    patient_id = patient_id_of(identifier, authority)
    with existing_registry(settings) as registry:
        _check(identifier, registry.domain.new_patient_problem(patient_id))
        added = registry.units.write(lambda unit: patients.make_known(registry, unit, [patient_id], _OPERATOR)) == 1
    sentence = "patient added" if added else "patient was known"
    print_result({"patient": patient_id.key, "added": added}, sentence, as_json)


@patient.command("merge")
@click.argument("subsumed")
@click.argument("surviving")
@authority_option
@json_option
@settings_options(*STORE)
def patient_merge(settings: Settings, subsumed: str, surviving: str, authority: str, as_json: bool) -> None:
    """Merge SUBSUMED into SURVIVING, with all its documents. This cannot be undone.

    \b
    carnet patient merge 258063523804187 258063523804186
    carnet patient merge 'OLD^^^&1.2.3&ISO' 'NEW^^^&1.2.3&ISO' --domain ihe
    """
    old, new = patient_id_of(subsumed, authority), patient_id_of(surviving, authority)
    with existing_registry(settings) as registry:
        _check(subsumed, registry.domain.patient_id_problem(old))
        _check(surviving, registry.domain.patient_id_problem(new))
        merged = registry.units.write(
            lambda unit: patients.merge(registry, unit, subsumed=old, surviving=new, source=_OPERATOR)
        )
    result = {"subsumed": old.key, "surviving": new.key, "objects": merged.objects}
    print_result(result, f"patients merged, {merged.objects} objects moved", as_json)


@patient.command("list")
@json_option
@settings_options(*STORE)
def patient_list(settings: Settings, as_json: bool) -> None:
    """Every identifier that was made known, oldest first, one a line; merged ones name their survivor.

    \b
    carnet patient list
    carnet patient list --data /srv/carnet --json
    """
    with existing_registry(settings) as registry:
        known = patients.all_patients(registry)
    if as_json:
        rows = [{"patient": one.key, "mergedInto": None if into is None else into.key} for one, into in known]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    click.echo("".join(f"{one.key}\t{'' if into is None else into.key}\n" for one, into in known), nl=False)


@patient.command("show")
@click.argument("identifier")
@authority_option
@json_option
@settings_options(*STORE)
def patient_show(settings: Settings, identifier: str, authority: str, as_json: bool) -> None:
    """Say whether a patient is known, into whom it was merged, and how many objects it has. Exit code 1: unknown.

    \b
    carnet patient show 258063523804186
    """
    patient_id = patient_id_of(identifier, authority)
    with existing_registry(settings) as registry:
        account = patients.account_of(registry, patient_id)
    if account is None:
        print_result({"patient": patient_id.key, "known": False}, "patient unknown", as_json)
        raise click.exceptions.Exit(1)
    into = account.merged_into
    state = "known" if into is None else f"merged into {into.key}"
    held = ", ".join(f"{number} {kind}" for kind, number in account.objects.items()) or "no objects"
    result = {"patient": patient_id.key, "known": into is None, "mergedInto": None if into is None else into.key}
    print_result({**result, "objects": account.objects}, f"{state}: {held}", as_json)


def _check(identifier: str, problem: str) -> None:
    if problem:
        raise click.UsageError(f"found {identifier}, {problem}")
