"""`carnet vihf`: make a signed VIHF, and explain one attribute by attribute."""

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from lxml import etree

from access_policy.authentication import Rules
from access_policy.caller import AuthenticationMode, PurposeOfUse
from access_policy.explanation import explain
from access_policy.findings import Finding
from access_policy.make_vihf import Vihf, make_vihf, security_header
from access_policy.refusals import Refused
from access_policy.security_header import SAML, WSSE
from access_policy.times import read_time
from access_policy.trust import Holder, Trust, holder_of
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import ATTRIBUTES, VERSIONS, Expected
from carnet.domains import INS_AUTHORITIES
from carnet.options import authority_option, code_of, json_option, patient_id_of
from carnet.pki_folder import read_credential
from carnet.trust_folder import read_certificates, read_trust
from xds.datatypes import Code
from xds.xml import BadXml, parse

_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
MODES = {"direct": AuthenticationMode.DIRECT, "indirect": AuthenticationMode.INDIRECT, "air": AuthenticationMode.AIR}
PURPOSES = {
    "normal": PurposeOfUse.NORMAL,
    "bris-de-glace": PurposeOfUse.BREAK_GLASS,
    "centre-15": PurposeOfUse.REGULATION,
}
_WORDS = {"fr": ("valide", "REFUSÉ"), "en": ("valid", "REFUSED")}
_MINUTES = click.IntRange(-525_600, 525_600)  # a year: what is valid too long, or no more, can be made as well
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def vihf() -> None:
    """Assertions of the DMP (VIHF 2.0, 3.0, 4.0).

    \b
    carnet vihf make carnet-pki/issued/801234567897-signature.pem --structure 1690000014 \\
        --role 10^^1.2.250.1.71.1.2.7 --role SM04^^1.2.250.1.71.4.2.5 --patient 258063523804186 -o vihf.xml
    carnet vihf check vihf.xml --trust carnet-pki/trust
    """


@vihf.command("make")
@click.argument("certificate", type=_existing)
@click.option("--key", type=_existing, help="Private key, PEM; default the .key file beside the certificate.")
@click.option("--mode", type=click.Choice(list(MODES)), help="Default direct for a card, indirect for a seal.")
@click.option("--purpose", type=click.Choice(list(PURPOSES)), default="normal", show_default=True, help="Access mode.")
@click.option(
    "--version", "version", type=click.Choice(VERSIONS), default="3.0", show_default=True, help="VIHF version."
)
@click.option("--structure", help="Struct_IdNat of the user; default that of the certificate.")
@click.option("--subject", help="NameID: PS_IdNat or internal id; default the holder of the certificate.")
@click.option("--name", "display_name", default="", help="Names of the user; required in modes indirect and air.")
@click.option(
    "--role", "roles", multiple=True, required=True, help="Profession, then speciality: code^^system, repeated."
)
@click.option(
    "--sector", default="SA07^^1.2.250.1.71.4.2.4", show_default=True, help="Sector of activity, code^^system."
)
@click.option("--patient", metavar="INS", help="Patient that the call is about.")
@authority_option
@click.option("--reason", default="", help="Why the glass is broken.")
@click.option("--secret", is_flag=True, help="Secret connection of a minor.")
@click.option("--audience", default="", help="Audience; the DMP fills none in.")
@click.option("--minutes", type=_MINUTES, default=5, show_default=True, help="Validity; 0 writes no Conditions.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default standard output.")
@click.option("--header", is_flag=True, help="Wrap it in the wsse:Security header.")
def make(certificate: Path, key: Path | None, output: Path | None, header: bool, **given: Any) -> None:
    """Make a VIHF signed by CERTIFICATE: the signature certificate of a card, or the seal of a structure.

    Values that no rule allows are written too, so that a server can be tried with them.

    \b
    carnet vihf make carnet-pki/issued/801234567897-signature.pem --structure 1690000014 \\
        --role 10^^1.2.250.1.71.1.2.7 --role SM04^^1.2.250.1.71.4.2.5 --patient 258063523804186
    carnet vihf make carnet-pki/issued/1690000014-seal.pem --mode air --name 'ÉLISE VILLARD' --subject 801234567897 \\
        --role 10^^1.2.250.1.71.1.2.7 --role SM04^^1.2.250.1.71.4.2.5 --purpose bris-de-glace --version 4.0
    """
    signer = read_credential(certificate, key)
    claim = _claim(_holder(signer.certificate), given)
    try:
        made = make_vihf(claim, signer.certificate, signer.key, now=datetime.now(UTC).replace(microsecond=0))
    except ValueError:
        raise click.UsageError("a value holds characters that XML cannot carry") from None
    octets = security_header(made) if header else etree.tostring(made, encoding="UTF-8", xml_declaration=True)
    if output is None:
        sys.stdout.buffer.write(octets + b"\n")
    else:
        output.write_bytes(octets)


def _claim(holder: Holder, given: dict[str, Any]) -> Vihf:
    mode = MODES[given["mode"] or ("direct" if holder.is_person else "indirect")]
    if mode is not AuthenticationMode.DIRECT and not given["display_name"]:
        raise click.UsageError("the modes indirect and air name the user: give --name")
    structure = given["structure"] or holder.structure
    if not structure:
        raise click.UsageError("the certificate names no structure: give --structure")
    patient, sector = given["patient"], code_of(given["sector"])
    return Vihf(
        subject=given["subject"] or holder.identifier,
        structure=structure,
        display_name=given["display_name"],
        version=given["version"],
        mode=mode,
        purpose=PURPOSES[given["purpose"]],
        roles=tuple(role_of(one) for one in given["roles"]),
        sector=Code(code=sector.code, coding_scheme=sector.coding_scheme),
        patient_id=patient_id_of(patient, given["authority"], type_code="NH") if patient else None,
        reason=given["reason"],
        is_secret_connection=given["secret"],
        audience=given["audience"],
        life=timedelta(minutes=given["minutes"]) if given["minutes"] else None,
    )


def role_of(text: str) -> Code:
    """code^^system, without a display name unless one is given."""
    code = code_of(text)
    return replace(code, display_name="") if code.display_name == code.code else code


def _holder(certificate: x509.Certificate) -> Holder:
    try:
        return holder_of(certificate)
    except Refused as refused:
        raise click.UsageError(f"the certificate is of no card and no structure: {refused.detail}") from None


@vihf.command("check")
@click.argument("file", type=_existing)
@click.option(
    "--trust", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of the authorities."
)
@click.option("--client", type=_existing, help="Certificate of the TLS client, PEM: checked against the signer.")
@click.option("--audience", "audiences", multiple=True, help="Audience of the server, repeated.")
@click.option("--now", "at", help="Time to check at, such as 2026-03-10T09:30:00Z; default now.")
@click.option(
    "--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="Language of the reasons."
)
@json_option
def check(
    file: Path,
    trust: Path | None,
    client: Path | None,
    audiences: tuple[str, ...],
    at: str | None,
    lang: str,
    as_json: bool,
) -> None:
    """Explain a VIHF, its wsse:Security header or the whole message: each element and attribute, valid or not and why.

    Exit code 0 when a server would take it, else 1. Without --trust the chain of the certificate is not checked.

    \b
    carnet vihf check vihf.xml --trust carnet-pki/trust --client carnet-pki/issued/801234567897-authentication.pem
    carnet vihf check message.xml --lang en --json
    """
    rules = Rules(
        trust=read_trust(trust) if trust else Trust(()),
        vihf=VihfRules(expected=Expected(patient_authorities=INS_AUTHORITIES)),
        audiences=audiences,
    )
    certificate = None if client is None else read_certificates(client)[0]
    now = time_of(at) if at else datetime.now(UTC)
    told = explain(_message(file), rules, client=certificate, now=now, is_chain_checked=trust is not None)
    print_findings(told, lang, as_json)
    if any(one.problem for one in told):
        raise click.exceptions.Exit(1)


def time_of(text: str) -> datetime:
    """Raises click.UsageError."""
    try:
        return read_time(text)
    except ValueError as problem:
        raise click.UsageError(f"--now: {problem}") from None


def _message(file: Path) -> etree._Element:
    """The file as a message: an assertion or a header is put where it belongs."""
    try:
        root = parse(file.read_bytes())
        return root if etree.QName(root).localname == "Envelope" else parse(_around(root))
    except BadXml as problem:
        raise click.ClickException(f"{file}: {problem}") from None


def _around(root: etree._Element) -> bytes:
    octets = etree.tostring(root, encoding="UTF-8")
    if root.tag == f"{{{SAML}}}Assertion":
        octets = b'<w:Security xmlns:w="%s">%s</w:Security>' % (WSSE.encode(), octets)
    text = b'<e:Envelope xmlns:e="%s"><e:Header>%s</e:Header><e:Body><b/></e:Body></e:Envelope>'
    return text % (_ENVELOPE.encode(), octets)


def print_findings(told: tuple[Finding, ...], lang: str, as_json: bool) -> None:
    """One line each: valid or refused, what it is, what was found, why."""
    if as_json:
        click.echo(json.dumps([_row(one) for one in told], ensure_ascii=False, indent=2))
        return
    labels = {row.name: row.french if lang == "fr" else row.english for row in ATTRIBUTES}
    valid, refused = _WORDS[lang]
    for one in told:
        reason = "" if one.problem is None else f" : {one.problem.french if lang == 'fr' else one.problem.english}"
        label = f" ({labels[one.name]})" if one.name in labels else ""
        click.echo(f"{valid if one.problem is None else refused:8} {one.name}{label} = {one.found or '–'}{reason}")


def _row(one: Finding) -> dict[str, Any]:
    row = asdict(one)
    problem = row.pop("problem")
    found = None if problem is None else {"en": problem["english"], "fr": problem["french"]}
    return {**row, "valid": problem is None, "problem": found}
