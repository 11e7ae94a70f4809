"""`carnet dmp mask`, `show`, `status`: who sees a document of the record, and whether it is archived. TD3.3."""

from collections.abc import Iterable

import click

from access_policy.document_facts import RESTRICTIONS
from carnet.dmp_client import APPROVED, ARCHIVED, DELETED, MASKED, DmpClient
from carnet.options import json_option, print_result, url_option
from carnet.proof import Proof, proof_options
from carnet.xds_answers import Answer
from carnet.xds_client import XdsClient
from xds.datatypes import Code
from xds.errors import Rejected
from xds.metadata import DocumentEntry

_HIDDEN_FROM = {"patient": "INVISIBLE_PATIENT", "representatives": "INVISIBLE_REPRESENTANTS_LEGAUX"}
_STATUSES = {"approved": APPROVED, "archived": ARCHIVED, "deleted": DELETED}


def _entry(url: str, proof: Proof, unique_id: str) -> DocumentEntry:
    """The current version. Raises Rejected, click.ClickException."""
    answer = XdsClient(url, proof=proof).get_documents(unique_id)
    if not answer.is_success:
        raise Rejected(answer.errors)
    if not answer.documents:
        raise click.ClickException(f"no document {unique_id} is to be found")
    return answer.documents[0]


def _updated(answer: Answer, as_json: bool) -> None:
    if not answer.is_success:
        raise Rejected(answer.errors)
    print_result({"status": answer.status}, "done", as_json)


@click.command()
@click.argument("unique_id")
@click.option("--undo", is_flag=True, help="Unmask it.")
@url_option
@proof_options
@json_option
def mask(unique_id: str, undo: bool, url: str, proof: Proof, as_json: bool) -> None:
    """Mask a document to professionals [TD3.3a], by a new version of its metadata [ITI-57].

    \b
    carnet dmp mask 2.25.1234567890 --assertion vihf.xml
    """
    entry = _entry(url, proof, unique_id)
    others = (one for one in _restrictions(entry) if one.code != MASKED.code)
    _updated(DmpClient(url, proof=proof).restrict(entry, *others, *(() if undo else (MASKED,))), as_json)


def _restrictions(entry: DocumentEntry) -> Iterable[Code]:
    """From whom it is hidden: what a change does not name stays. DMP 8.6"""
    return (one for one in entry.confidentiality_code if one.coding_scheme == RESTRICTIONS)


@click.command()
@click.argument("unique_id")
@click.option("--to", type=click.Choice(list(_HIDDEN_FROM)), default="patient", show_default=True, help="To whom.")
@url_option
@proof_options
@json_option
def show(unique_id: str, to: str, url: str, proof: Proof, as_json: bool) -> None:
    """Make a document visible that was fed invisible to the person or their representatives [TD3.3b].

    \b
    carnet dmp show 2.25.1234567890 --assertion vihf.xml
    carnet dmp show 2.25.1234567890 --to representatives --assertion vihf.xml
    """
    entry = _entry(url, proof, unique_id)
    kept = (one for one in _restrictions(entry) if one.code != _HIDDEN_FROM[to])
    _updated(DmpClient(url, proof=proof).restrict(entry, *kept), as_json)


@click.command()
@click.argument("unique_id")
@click.argument("status", type=click.Choice(list(_STATUSES)))
@url_option
@proof_options
@json_option
def status(unique_id: str, status: str, url: str, proof: Proof, as_json: bool) -> None:
    """Archive, unarchive or delete a document [TD3.3c, d].

    \b
    carnet dmp status 2.25.1234567890 archived --assertion vihf.xml
    """
    entry = _entry(url, proof, unique_id)
    before = str(entry.availability_status or APPROVED)
    _updated(DmpClient(url, proof=proof).set_status(entry, before=before, after=_STATUSES[status]), as_json)


DOCUMENT_COMMANDS = (mask, show, status)
