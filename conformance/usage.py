"""What click says of a command that was typed wrong, in French where the command speaks it.

click has its words in English and takes its options before anybody knows the language; so it is put into French here,
sentence by sentence. One that is not in the table stays in English.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import click

# What is said before the fault itself, and the fault: a pattern of click -> French.
_BEFORE = (
    (r"Invalid value for (?P<name>.+?): ", r"Valeur refusée pour \g<name> : "),
    (r"Invalid value: ", "Valeur refusée : "),
)
_FAULTS = (
    (r"Missing option (.+?)\.(?: Choose from:\s(.*))?", r"Il manque l'option \1. \2"),
    (r"Missing argument (.+?)\.(?: Choose from:\s(.*))?", r"Il manque l'argument \1. \2"),
    (r"Missing command\.", "Il manque une commande."),
    (r"No such option (.+)\.", r"L'option \1 n'existe pas."),
    (r"Option (.+) requires an argument\.", r"L'option \1 attend une valeur."),
    (r"Option (.+) does not take a value\.", r"L'option \1 n'a pas de valeur."),
    (r"Got unexpected extra arguments? \((.*)\)", r"En trop : \1"),
    (r"(.+) is not one of (.+)\.", r"trouvé \1, attendu l'un de \2."),
    (r"(.+) is not a valid (?:integer|float)( range)?\.", r"trouvé \1, attendu un nombre."),
    (r"(.+) is not in the range (.+)\.", r"trouvé \1, attendu \2."),
    (r"(.+) does not match the formats? (.+)\.", r"trouvé \1, attendu \2."),
    (r"(?:File|Directory|Path) (.+) does not exist\.", r"\1 n'existe pas."),
    (r"File (.+) is a directory\.", r"\1 est un dossier, attendu un fichier."),
    (r"Directory (.+) is a file\.", r"\1 est un fichier, attendu un dossier."),
    (r"(?:File|Directory|Path) (.+) is not (?:readable|writable)\.", r"l'accès à \1 est refusé."),
)
_HINT = re.compile(r" \(?Did you mean(?: one of:)? (.+)\?\)?$")
_OPTIONS = ("--lang", "--language")


def told(problem: click.ClickException, commands: click.Group, arguments: Sequence[str]) -> str:
    """All that is shown of it; `arguments` as they were typed: they name the command, and the language maybe."""
    name = next((one for one in arguments if one in commands.commands), "")
    command, path = commands.commands.get(name, commands), f"python -m conformance {name}".strip()
    usage, said = click.Context(command, info_name=path).get_usage(), problem.format_message()
    if not _speaks_french(command, arguments):
        return f"{usage}\nTry '{path} --help' for help.\n\nError: {said}"
    return f"{usage.replace('Usage:', 'Usage :', 1)}\nVoir '{path} --help'.\n\nErreur : {in_french(said)}"


def _speaks_french(command: click.Command, arguments: Sequence[str]) -> bool:
    """Has the command a language, French where no other is asked for? The others speak English alone."""
    if not any(one.name == "language" for one in command.params):
        return False
    given = [value for name, value in pairwise(arguments) if name in _OPTIONS]
    given += [one.partition("=")[2] for one in arguments if one.partition("=")[0] in _OPTIONS and "=" in one]
    return given[-1:] != ["en"]


def in_french(said: str) -> str:
    """A sentence of click."""
    if hint := _HINT.search(said):
        return f"{in_french(said[: hint.start()])} Peut-être {hint[1]} ?"
    for pattern, french in _BEFORE:
        if found := re.match(pattern, said):
            return found.expand(french) + _fault(said[found.end() :])
    return _fault(said)


def _fault(said: str) -> str:
    for pattern, french in _FAULTS:
        if found := re.fullmatch(pattern, said, re.DOTALL):
            return re.sub(r"\s+", " ", found.expand(french)).strip()
    return said
