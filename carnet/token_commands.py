"""`carnet token`: an issuer for tests and demonstrations, its tokens, and one explained claim by claim."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives import hashes

from access_policy.bearer_token import ALGORITHMS
from access_policy.make_token import Told, new_keys, sign_token, token_claims, userinfo_claims
from access_policy.scopes import IUA_SCOPES
from access_policy.token_authentication import TokenRules
from access_policy.token_explanation import explain_token
from access_policy.vihf_attributes import Expected
from carnet.domains import INS_AUTHORITIES
from carnet.options import DEFAULT_URL, authority_option, code_of, json_option, patient_id_of
from carnet.token_issuers import read_issuers
from carnet.trust_folder import read_certificates
from carnet.vihf_commands import MODES, PURPOSES, print_findings, role_of, time_of

_FOLDER = "carnet-tokens"
_KEY, _KEYS, _ISSUERS = "signing-key.json", "keys.json", "issuers.toml"
_folder = click.Path(file_okay=False, path_type=Path)
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def token() -> None:
    """Tokens (JWT) for the FHIR door: an issuer for tests, its tokens, and what a server thinks of one.

    \b
    carnet token init
    carnet serve --security open --token-issuers carnet-tokens/issuers.toml
    carnet token make --subject 801234567897 --name 'ÉLISE VILLARD' --structure 1690000014 \\
        --role 10^^1.2.250.1.71.1.2.7 --role SM04^^1.2.250.1.71.4.2.5 --patient 258063523804186
    carnet token check token.txt --issuers carnet-tokens/issuers.toml
    """


@token.command("init")
@click.argument("folder", type=_folder, default=_FOLDER)
@click.option("--issuer", default="https://issuer.invalid/", show_default=True, help="Name of the issuer, `iss`.")
@click.option(
    "--algorithm", type=click.Choice(list(ALGORITHMS)), default="ES256", show_default=True, help="How it signs."
)
def init(folder: Path, issuer: str, algorithm: str) -> None:
    """Make an issuer in FOLDER: its signing key, the keys a server verifies with, and the file for --token-issuers.

    For tests and demonstrations: it is believed about every mode of authentication and about patients. An issuer
    that is there already is left as it is: exit code 2.

    \b
    carnet token init
    carnet token init /tmp/as --issuer https://as.example.org/ --algorithm RS256
    """
    if (folder / _KEY).exists():
        raise click.UsageError(f"{folder / _KEY} is there already")
    private, public = new_keys(algorithm)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _KEY).touch(mode=0o600)
    (folder / _KEY).write_text(json.dumps(private | {"iss": issuer}), encoding="utf-8")
    (folder / _KEYS).write_text(json.dumps(public), encoding="utf-8")
    modes = json.dumps([str(one) for one in MODES.values()])
    lines = ["[[issuer]]", f"issuer = {json.dumps(issuer)}", f'keys = "{_KEYS}"', f"modes = {modes}", "patients = true"]
    (folder / _ISSUERS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    click.echo(f"{folder / _ISSUERS}: give it to carnet serve --token-issuers")


@token.command("make")
@click.option("--folder", type=_folder, default=_FOLDER, show_default=True, help="Folder of the issuer.")
@click.option(
    "--audience", default=f"{DEFAULT_URL}/fhir", show_default=True, help="`aud`: the FHIR base of the server."
)
@click.option("--client", "client_id", default="carnet-token", show_default=True, help="client_id of the software.")
@click.option("--scope", "scopes", multiple=True, help=f"Scope, repeated; default {' '.join(IUA_SCOPES)}.")
@click.option("--subject", default="", help="PS_IdNat or internal id of the professional.")
@click.option("--name", default="", help="Names of who asks.")
@click.option("--structure", default="", help="Struct_IdNat.")
@click.option("--role", "roles", multiple=True, help="Profession, then speciality: code^^system, repeated.")
@click.option(
    "--sector", default="SA07^^1.2.250.1.71.4.2.4", show_default=True, help="Sector of activity, code^^system."
)
@click.option("--mode", type=click.Choice(list(MODES)), default="air", show_default=True, help="How authenticated.")
@click.option("--purpose", type=click.Choice(list(PURPOSES)), default="normal", show_default=True, help="Access mode.")
@click.option("--reason", default="", help="Why the glass is broken.")
@click.option("--patient", metavar="INS", help="Patient whose record is asked for.")
@click.option("--person", metavar="INS", help="Patient or representative who asks, in place of a professional.")
@authority_option
@click.option("--secret", "is_secret_connection", is_flag=True, help="Secret connection of a minor.")
@click.option("--userinfo", is_flag=True, help="Word the claims as Pro Santé Connect does.")
@click.option("--minutes", default=5, show_default=True, help="Validity; negative for one that has expired.")
@click.option("--bind", type=_existing, help="Client certificate, PEM, that the token is bound to (RFC 8705).")
@click.option("--claim", "claims", multiple=True, help="Any other claim, NAME=JSON, repeated; it wins.")
def make(folder: Path, userinfo: bool, claims: tuple[str, ...], **given: Any) -> None:
    """Make a token of the issuer in a folder and print it.

    Values that no rule allows are written too, so that a server can be tried with them.

    \b
    carnet token make --subject 801234567897 --name 'ÉLISE VILLARD' --structure 1690000014 --mode direct \\
        --role 10^^1.2.250.1.71.1.2.7 --role SM04^^1.2.250.1.71.4.2.5 --patient 258063523804186
    carnet token make --person 258063523804186 --scope patient/*.rs             # a patient about the own record
    carnet token make --userinfo --subject 899700218896 --name 'MAËL KERGOAT' --structure 1690000014 \\
        --role 60^^1.2.250.1.71.1.2.7 --patient 258063523804186 --scope user/DocumentReference.rs
    curl -H "Authorization: Bearer $(carnet token make …)" http://127.0.0.1:8080/fhir/DocumentReference?…
    """
    try:
        key = json.loads((folder / _KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise click.UsageError(f"{folder / _KEY}: {problem}; make one with carnet token init {folder}") from None
    worded = userinfo_claims if userinfo else token_claims
    made = worded(_told(key.pop("iss"), given), now=datetime.now(UTC))
    click.echo(sign_token(made | dict(_claim(one) for one in claims), key))


def _told(issuer: str, given: dict[str, Any]) -> Told:
    person, patient, authority = given["person"], given["patient"], given["authority"]
    if person is None and not (given["subject"] and given["structure"] and given["roles"]):
        raise click.UsageError("give --subject, --structure and --role of a professional, or --person of a patient")
    sector, bind = code_of(given["sector"]), given["bind"]
    return Told(
        issuer=issuer,
        subject=given["subject"] or "portal",
        audience=given["audience"],
        client_id=given["client_id"],
        scopes=given["scopes"] or IUA_SCOPES,
        name=given["name"],
        structure=given["structure"],
        roles=tuple(role_of(one) for one in given["roles"]),
        sector=sector,
        mode=MODES[given["mode"]],
        purpose=PURPOSES[given["purpose"]],
        reason=given["reason"],
        patient_id=patient_id_of(patient, authority) if patient else None,
        person_id=patient_id_of(person, authority) if person else None,
        is_secret_connection=given["is_secret_connection"],
        life=timedelta(minutes=given["minutes"]),
        certificate=read_certificates(bind)[0] if bind else None,
    )


def _claim(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        raise click.UsageError(f"--claim {name}: expected NAME=JSON") from None


@token.command("check")
@click.argument("file", type=click.File("r"), default="-")
@click.option("--issuers", type=_existing, default=f"{_FOLDER}/{_ISSUERS}", show_default=True, help="Issuers, TOML.")
@click.option(
    "--audience", "audiences", multiple=True, default=(f"{DEFAULT_URL}/fhir",), show_default=True, help="Of the server."
)
@click.option("--client", type=_existing, help="Certificate of the TLS client, PEM: for a token that is bound to one.")
@click.option("--now", "at", help="Time to check at, such as 2026-03-10T09:30:00Z; default now.")
@click.option(
    "--domain", type=click.Choice(["dmp", "ihe"]), default="dmp", show_default=True, help="Domain of the server."
)
@click.option(
    "--lang", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="Language of the reasons."
)
@json_option
def check(
    file: Any,
    issuers: Path,
    audiences: tuple[str, ...],
    client: Path | None,
    at: str | None,
    domain: str,
    lang: str,
    as_json: bool,
) -> None:
    """Explain a token, from FILE or standard input: each claim, valid or not and why. `Bearer` before it is ignored.

    Exit code 0 when a server would take it, else 1. Whether it was used before by another client is not known here.

    \b
    carnet token make … | carnet token check
    carnet token check token.txt --issuers issuers.toml --audience https://carnet.example.org/fhir --lang en --json
    """
    expected = Expected(patient_authorities=INS_AUTHORITIES) if domain == "dmp" else None
    rules = TokenRules(issuers=read_issuers(issuers)[0], audiences=audiences, expected=expected)
    text = file.read().strip().removeprefix("Authorization:").strip().removeprefix("Bearer").strip()
    holder = None if client is None else read_certificates(client)[0].fingerprint(hashes.SHA256())
    told = explain_token(text, rules, client=holder, now=time_of(at) if at else datetime.now(UTC))
    print_findings(told, lang, as_json)
    if any(one.problem for one in told):
        raise click.exceptions.Exit(1)
