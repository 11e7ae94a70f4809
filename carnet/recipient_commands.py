"""`carnet recipient`: submissions that came without a patient (XDR, limited metadata) and wait to be matched."""

import json

import click

from access_policy.caller import Caller
from carnet.existing_stores import existing_registry
from carnet.options import STORE, authority_option, json_option, patient_id_of, print_result, settings_options
from carnet.settings import Settings
from registry import document_recipient
from registry.document_recipient import QueuedSubmission

_OPERATOR = Caller(name="operator")


@click.group()
def recipient() -> None:
    """Submissions received at /xds/recipient that name no patient."""


@recipient.command("list")
@json_option
@settings_options(*STORE)
def recipient_list(settings: Settings, as_json: bool) -> None:
    """What waits, oldest first: uniqueId of the SubmissionSet, time received (UTC), documents, sourceId.

    \b
    carnet recipient list
    carnet recipient list --data /srv/carnet --json
    """
    with existing_registry(settings) as registry:
        rows = [_row(one) for one in document_recipient.waiting(registry)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    lines = ("\t".join(str(value) for value in row.values()) for row in rows)
    click.echo("".join(f"{line}\n" for line in lines), nl=False)


def _row(queued: QueuedSubmission) -> dict[str, object]:
    owner = queued.submission.submission_set
    return {
        "submissionSet": queued.unique_id,
        "received": queued.received,
        "documents": len(queued.submission.document_entries),
        "sourceId": "" if owner is None else owner.source_id or "",
    }


@recipient.command("match")
@click.argument("submission_set", metavar="UNIQUE_ID")
@click.argument("identifier", metavar="PATIENT")
@authority_option
@json_option
@settings_options(*STORE)
def recipient_match(settings: Settings, submission_set: str, identifier: str, authority: str, as_json: bool) -> None:
    """Register the submission with this SubmissionSet UNIQUE_ID for a PATIENT who is known.

    \b
    carnet recipient list
    carnet recipient match 1.42.20100312105241.4 258063523804186
    """
    patient_id = patient_id_of(identifier, authority)
    with existing_registry(settings) as registry:
        number = registry.units.write(
            lambda unit: document_recipient.match(registry, unit, submission_set, patient_id, _OPERATOR)
        )
    result = {"submissionSet": submission_set, "patient": patient_id.key, "objects": number}
    print_result(result, f"submission matched, {number} objects registered", as_json)
