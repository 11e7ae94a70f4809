"""`carnet on-demand`: documents whose content is made when they are retrieved. ITI TF-2: 3.61."""

from collections.abc import Callable
from typing import Any

import click

from carnet.domains import repository_unique_id
from carnet.existing_stores import existing_registry
from carnet.media_receivers import OPERATOR
from carnet.on_demand_documents import Codes, add_document_list
from carnet.options import (
    STORE,
    authority_option,
    code_of,
    content_type_option,
    json_option,
    patient_id_of,
    print_result,
    settings_options,
)
from carnet.settings import Settings
from xds.datatypes import Code
from xds.identifiers import is_oid

# Option -> attribute, and the code of the domain dmp that fits a list of documents.
_DIGITAL_SERVICE = Code(code="SNR", coding_scheme="1.2.250.1.213.1.1.4.6", display_name="Service numérique référencé")
_CODES = {
    "class_code": ("classCode", Code(code="11", coding_scheme="1.2.250.1.213.1.1.4.1", display_name="Synthèse")),
    "type_code": ("typeCode", Code(code="SYNTH", coding_scheme="1.2.250.1.213.1.1.4.12", display_name="Synthèse")),
    "format_code": (
        "formatCode",
        Code(
            code="urn:asipSante:modelesHorsProfils:2011",
            coding_scheme="1.2.250.1.213.1.1.4.2.282",
            display_name="Document non référencé IHE ou CI-SIS",
        ),
    ),
    "confidentiality": (
        "confidentialityCode",
        Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal"),
    ),
    "facility_type": ("healthcareFacilityTypeCode", _DIGITAL_SERVICE),
    "practice_setting": ("practiceSettingCode", _DIGITAL_SERVICE),
}


def _code_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, (attribute, default) in reversed(_CODES.items()):
        option = click.option(
            f"--{name.replace('_', '-')}", default=str(default), show_default=True, help=f"{attribute}, code^^scheme."
        )
        command = option(command)
    return command


def _chosen(name: str, given: str) -> Code:
    default = _CODES[name][1]
    return default if given == str(default) else code_of(given)


@click.group("on-demand")
def on_demand() -> None:
    """On-demand documents, made when they are retrieved."""


@on_demand.command("add")
@click.argument("identifier", metavar="PATIENT")
@_code_options
@content_type_option
@click.option(
    "--repository", "maker", default="", help="OID of the repository that makes it, where it is another process."
)
@authority_option
@json_option
@settings_options(*STORE)
def on_demand_add(settings: Settings, identifier: str, authority: str, as_json: bool, **given: Any) -> None:
    """Register the list of a patient's documents as an on-demand document; a second time changes nothing.

    Retrieve Document Set answers it with a CDA document that lists what the requester may see at that moment. In a
    domain with codes of its own, name them with the options.

    \b
    carnet on-demand add 258063523804186
    carnet on-demand add 'TEST-42^^^&1.3.6.1.4.1.21367.13.20.1000&ISO' --domain ihe
    carnet on-demand add 258063523804186 --type-code 60591-5^^2.16.840.1.113883.6.1
    """
    patient_id = patient_id_of(identifier, authority)
    codes = Codes(content_type=code_of(given["content_type"]), **{name: _chosen(name, given[name]) for name in _CODES})
    ours = given["maker"] or repository_unique_id(settings)
    if not is_oid(ours):
        raise click.UsageError(f"--repository {ours}: expected an OID")
    with existing_registry(settings) as registry:
        added = registry.units.write(
            lambda unit: add_document_list(registry, unit, patient_id, codes, OPERATOR, repository_id=ours)
        )
    sentence = "on-demand document registered" if added else "on-demand document was registered"
    print_result({"patient": patient_id.key, "added": added}, sentence, as_json)
