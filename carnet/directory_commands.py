"""`carnet directory`: the professionals, structures and software that are known. DMP 6.5."""

from dataclasses import asdict
from pathlib import Path

import click

from carnet.existing_stores import existing_units
from carnet.options import STORE, json_option, print_result, settings_options
from carnet.settings import Settings
from dmp import directory as known
from dmp.directory import DirectoryRefused, Loaded


@click.group()
def directory() -> None:
    """Professionals, structures and software that callers are compared with."""


@directory.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--add", is_flag=True, help="Keep what is there; lines of the file replace those of the same identifier.")
@json_option
@settings_options(*STORE)
def directory_load(settings: Settings, file: Path, add: bool, as_json: bool) -> None:
    """Take FILE (CSV, UTF-8) as the directory, whole or not at all.

    \b
    carnet directory load annuaire.csv
    kind,id,name,profession,speciality,activity,structure,version
    professional,899700218896,VILLARD Elise,10,SM26,,10B0000000,
    structure,10B0000000,Clinique des Tilleuls,,,SA01,,
    software,LPS-4711,Cabinet,,,,,2.1

    \b
    AIR, where the setting air_structures is "directory", is for structures with yes in a last column:
    carnet directory load --add vague-2.csv
    kind,id,name,profession,speciality,activity,structure,version,air
    structure,10B0000000,Clinique des Tilleuls,,,SA01,,,yes
    """
    lines = _lines_of(file)
    with existing_units(settings) as units:
        loaded: Loaded = units.write(lambda unit: known.load(unit, lines, keeps_others=add))
    sentence = f"{loaded.professionals} situations, {loaded.structures} structures, {loaded.software} software"
    print_result(asdict(loaded), sentence, as_json)


def _lines_of(file: Path) -> list[str]:
    """The lines of a file in UTF-8. Raises DirectoryRefused for another encoding."""
    try:
        return file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as problem:
        raise DirectoryRefused(
            f"{file}: found octets that are no UTF-8 at {problem.start}, expected UTF-8"
        ) from problem
