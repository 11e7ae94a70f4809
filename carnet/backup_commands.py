"""Commands that save and bring back everything: backup, restore."""

from dataclasses import asdict
from pathlib import Path

import click

from carnet.backup import BackupRefused, back_up, restore
from carnet.options import json_option, print_result, settings_options
from carnet.settings import Settings
from carnet.storage_commands import DOCUMENTS, REFUSED, progress_bar

_folder = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))


@click.command("backup")
@_folder
@click.option("--link", is_flag=True, help="Hard-link documents instead of copying them; same file system only.")
@json_option
@settings_options(*DOCUMENTS)
def backup_command(settings: Settings, folder: Path, *, link: bool, as_json: bool) -> None:
    """Back up the database and every document it refers to into an empty folder, while the server runs.

    Each copy, and each link, is read and compared. A linked document needs no space and shares the fate of its
    file: copy the folder to another disk. PostgreSQL needs pg_dump.

    \b
    carnet backup /backup/2026-11-26
    carnet backup /srv/backup/today --link --json
    """
    try:
        with progress_bar("documents", None) as advance:
            done = back_up(settings, folder, link=link, on_progress=advance)
    except BackupRefused as refused:
        raise click.exceptions.Exit(_said(refused)) from None
    lines = [f"{done.documents} documents, {done.octets} octets, database {done.database} at {done.revision}"]
    lines += [f"not in the backup, damaged or missing: {one}" for one in done.missing]
    print_result(asdict(done), "\n".join(lines), as_json)
    if done.missing:
        raise click.exceptions.Exit(REFUSED)


@click.command("restore")
@_folder
@json_option
@settings_options(*DOCUMENTS)
def restore_command(settings: Settings, folder: Path, *, as_json: bool) -> None:
    """Bring a backup back into an empty database and the documents' store, then check it with `carnet fsck`.

    The state is that of the backup: what was submitted later is not there, what was removed later (ITI-62,
    ITI-86) is there again. The server must not run meanwhile.

    \b
    carnet restore /backup/2026-11-26 --data /srv/carnet
    carnet restore /backup/2026-11-26 --database postgresql+psycopg://carnet@localhost/empty
    """
    try:
        with progress_bar("documents", None) as advance:
            backup, moved = restore(settings, folder, on_progress=advance)
    except BackupRefused as refused:
        raise click.exceptions.Exit(_said(refused)) from None
    lines = [f"{moved.copied + moved.present} of {backup.documents} documents restored, state of {backup.created}"]
    lines += [f"not restored: {one}" for one in moved.failed]
    print_result({"backup": asdict(backup), "restored": asdict(moved)}, "\n".join(lines), as_json)
    if moved.failed:
        raise click.exceptions.Exit(REFUSED)


def _said(refused: BackupRefused) -> int:
    click.echo(f"carnet: {refused}", err=True)
    return REFUSED
