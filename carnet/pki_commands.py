"""`carnet pki`: a test IGC, its cards, structures and servers."""

from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography import x509

from access_policy.trust import is_structure_id
from carnet import pki as test_pki
from carnet.options import json_option, print_result
from carnet.pki import Card, Structure, Use
from carnet.pki_folder import read_igc, revoke, write_credentials, write_igc

_LONGEST_NAME = 64
_folder = click.option(
    "--pki",
    "folder",
    default="./carnet-pki",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the IGC.",
)


@click.group()
def pki() -> None:
    """A test IGC shaped as the French health PKI. Its keys are not protected: for development only.

    \b
    carnet pki init
    carnet pki issue card 801234567897 --family VILLARD --given ÉLISE
    carnet pki issue structure 1690000014 --name 'Clinique des Tilleuls'
    carnet pki issue server localhost 127.0.0.1
    carnet pki revoke carnet-pki/issued/801234567897-signature.pem
    """


@pki.command("init")
@_folder
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Make the authorities: a root, one for persons, one for organisations, and their revocation lists.

    The folder trust/ is what a server is given: carnet serve --trust carnet-pki/trust

    \b
    carnet pki init
    carnet pki init --pki /srv/test-igc
    """
    now = _now()
    write_igc(folder, test_pki.make_igc(now=now), now=now)
    trust = folder / "trust"
    print_result({"trust": str(trust)}, f"IGC made in {folder}; give servers --trust {trust}", as_json)


@pki.group("issue")
def issue() -> None:
    """Issue certificates: to a card, a structure or a server.

    \b
    carnet pki issue card 801234567897 --family VILLARD --given ÉLISE
    carnet pki issue structure 1690000014 --name 'Clinique des Tilleuls'
    carnet pki issue server localhost 127.0.0.1
    """


@issue.command("card")
@click.argument("identifier", metavar="PS_IDNAT")
@click.option("--family", required=True, help="Family name.")
@click.option("--given", required=True, help="Given name.")
@click.option("--title", default="Médecin", show_default=True, help="Title on the card.")
@_folder
@json_option
def issue_card(identifier: str, family: str, given: str, title: str, folder: Path, as_json: bool) -> None:
    """Issue the two pairs of a card: authentication and signature. PS_IDNAT is 8 and the RPPS number, for example.

    \b
    carnet pki issue card 801234567897 --family VILLARD --given ÉLISE
    carnet pki issue card 899700218896 --family KERGOAT --given MAËL --title Infirmier
    """
    _check_names(PS_IDNAT=identifier, family=family, given=given, title=title)
    card = Card(identifier=identifier, family=family, given=given, title=title)
    issued = test_pki.issue_card(read_igc(folder), card, now=_now())
    _told(write_credentials(folder, identifier, issued), as_json)


@issue.command("structure")
@click.argument("identifier", metavar="STRUCT_IDNAT")
@click.option("--name", required=True, help="Name of the structure.")
@_folder
@json_option
def issue_structure(identifier: str, name: str, folder: Path, as_json: bool) -> None:
    """Issue the two pairs of a structure: client authentication and seal. STRUCT_IDNAT is 1 and the FINESS number.

    \b
    carnet pki issue structure 1690000014 --name 'Clinique des Tilleuls'
    """
    if not is_structure_id(identifier):
        raise click.UsageError(f"{identifier}: expected a Struct_IdNat, such as 1 and nine characters of a FINESS")
    _check_names(name=name)
    structure = Structure(identifier=identifier, name=name)
    issued = test_pki.issue_structure(read_igc(folder), structure, now=_now())
    _told(write_credentials(folder, identifier, issued), as_json)


@issue.command("server")
@click.argument("hosts", nargs=-1, required=True)
@_folder
@json_option
def issue_server(hosts: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Issue a server certificate for names and addresses.

    \b
    carnet pki issue server localhost 127.0.0.1
    """
    issued = {Use.SERVER: test_pki.issue_server(read_igc(folder), hosts, now=_now())}
    _told(write_credentials(folder, hosts[0], issued), as_json)


@pki.command("revoke")
@click.argument("certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_folder
@json_option
def revoke_certificate(certificate: Path, folder: Path, as_json: bool) -> None:
    """Put a certificate on the revocation list of its authority.

    \b
    carnet pki revoke carnet-pki/issued/801234567897-signature.pem
    """
    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except ValueError:
        raise click.UsageError(f"{certificate}: found no certificate in PEM") from None
    file = revoke(folder, found, now=_now())
    print_result({"list": str(file)}, f"revoked; the list is {file}", as_json)


def _check_names(**texts: str) -> None:
    """What stands in a subject is 1 to 64 characters long. RFC 5280: A.1"""
    for name, text in texts.items():
        if not text.strip() or len(text) > _LONGEST_NAME:
            raise click.UsageError(
                f"{name}: found {len(text)} characters, expected 1 to {_LONGEST_NAME}, not all blank"
            )


def _told(files: list[Path], as_json: bool) -> None:
    sentence = "\n".join(f"issued {file}, its key {file.with_suffix('.key').name}" for file in files)
    print_result({"certificates": [str(file) for file in files]}, sentence, as_json)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
