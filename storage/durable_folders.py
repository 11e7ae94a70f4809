"""Folders whose names outlive a power cut: a file is only as durable as every folder above it."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make names that were added to a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and the missing ones above it, each durable before anything is written into it. Raises OSError.

    They are this account's alone: what lies in them are records of patients. One that is there stays as it is.
    """
    missing = [one for one in (folder, *folder.absolute().parents) if not one.is_dir()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        sync_folder(one.parent)
