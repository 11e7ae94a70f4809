"""What a person typed wrong is told in the language of the command: click's words, files of TLS, what is not there."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives import serialization

from conformance.__main__ import commands
from conformance.failures import KitError
from conformance.population.pki import Pki
from conformance.usage import in_french, told
from tests.servers import ROOT

ENGLISH = re.compile(
    r"\b(the|is|not|no|such|missing|invalid|value|try|usage:|error|does|did|unexpected|requires)\b", re.I
)


def said(*arguments: str) -> str:
    with pytest.raises(click.UsageError) as raised:
        commands.main(arguments, prog_name="python -m conformance", standalone_mode=False)
    return told(raised.value, commands, arguments)


@pytest.mark.parametrize(
    ("line", "french"),
    [
        (["client"], "Il manque l'option '--out'."),
        (
            ["client", "--out", "x", "--scenario", "y"],
            "Valeur refusée pour '--scenario' : trouvé 'y', attendu l'un de ",
        ),
        (
            ["client", "--out", "x", "--lang", "de"],
            "Valeur refusée pour '--lang' / '--language' : trouvé 'de', attendu",
        ),
        (["client", "--out", "x", "--unattended", "-1"], "pour '--unattended' : trouvé -1.0, attendu x>=0."),
        (["client", "--out", "x", "--unattended", "soon"], "pour '--unattended' : trouvé 'soon', attendu un nombre."),
        (
            ["client", "--out", "x", "--minuts", "3"],
            "L'option '--minuts' n'existe pas. Peut-être '--minutes', '--out' ?",
        ),
        (["client", "--out"], "L'option '--out' attend une valeur."),
        (["client", "--out", "x", "--resume=y"], "L'option '--resume' n'a pas de valeur."),
        (["client", "--out", "x", "more"], "En trop : more"),
        (["client", "--out", __file__], f"pour '--out' : '{__file__}' est un fichier, attendu un dossier."),
        (["server", "--config", "/none.toml"], "Valeur refusée pour '--config' : '/none.toml' n'existe pas."),
        (["server", "--config", "/"], "Valeur refusée pour '--config' : '/' est un dossier, attendu un fichier."),
        (["compare", "/"], "Il manque l'argument "),
    ],
)
def test_what_was_typed_wrong_is_told_in_french(line: list[str], french: str) -> None:
    shown = said(*line)
    assert f"Usage : python -m conformance {line[0]}" in shown
    assert f"Voir 'python -m conformance {line[0]} --help'." in shown
    _, _, fault = shown.partition("Erreur : ")
    assert french in fault
    assert not ENGLISH.search(fault)


@pytest.mark.parametrize("asked", [["--lang", "en"], ["--lang=en"], ["--language", "en"]])
def test_it_is_told_in_english_where_english_is_asked_for(asked: list[str]) -> None:
    assert said("client", *asked).endswith(
        "Try 'python -m conformance client --help' for help.\n\nError: Missing option '--out'."
    )


def test_commands_that_have_no_language_speak_english() -> None:
    assert said("nist").endswith("Error: Missing option '--kit'.")
    assert said("clinet").endswith("Did you mean 'client'?")


def test_what_has_no_french_is_told_as_it_is() -> None:
    assert in_french("Could not guess.") == "Could not guess."


def test_the_command_ends_with_2_and_its_sentence() -> None:
    line = [sys.executable, "-m", "conformance", "client", "--minuts", "3"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "L'option '--minuts' n'existe pas." in done.stderr


@pytest.mark.parametrize(
    ("tls", "french", "english"),
    [
        ('authorities = "none.pem"', "none.pem : n'existe pas", "none.pem: does not exist"),
        (
            'authorities = "server.toml"',
            "server.toml : attendu des certificats d'autorités (PEM)",
            "server.toml: expected certificates of authorities (PEM)",
        ),
        (
            'authorities = "root.pem"\ncertificate = "server.toml"',
            "server.toml : attendu un certificat et sa clé (PEM, sans mot de passe)",
            "server.toml: expected a certificate and its key (PEM, no password)",
        ),
    ],
    ids=["missing", "no certificate", "no pair"],
)
def test_a_file_of_tls_that_cannot_be_used_is_told_in_the_language(
    tmp_path: Path, tls: str, french: str, english: str
) -> None:
    root = Pki(1, datetime.now(UTC)).root.certificate
    (tmp_path / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    file = tmp_path / "server.toml"
    file.write_text(f'name = "x"\n[tls]\n{tls}\n[mhd]\nbase = "https://localhost/fhir"\n')
    for language, wanted in (("fr", french), ("en", english)):
        with pytest.raises(KitError) as raised:
            line = ["server", "--config", str(file), "--run", str(tmp_path / "run"), "--lang", language]
            commands.main(line, standalone_mode=False)
        assert str(raised.value).endswith(wanted)
    assert not (tmp_path / "run").exists()
