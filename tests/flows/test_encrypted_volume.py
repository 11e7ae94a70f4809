"""Database and documents on LUKS: nothing of a patient stands on the device, and all of it comes back with the key."""

from pathlib import Path

import pytest

from tests import luks, messages, servers
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry
from xds.metadata import DocumentEntry

WORD = b"PLAINTEXT-OF-A-REPORT"
CONTENT = b"<ClinicalDocument>" + WORD * 50 + b"</ClinicalDocument>"
TITLE = "Compte rendu de M. MARCHAL"
TELLING = (WORD, PATIENT.id.encode(), TITLE.encode())
refusal = luks.refusal()


def words_in(file: Path) -> set[bytes]:
    content = file.read_bytes()
    return {word for word in TELLING if word in content}


def submitted(folder: Path) -> DocumentEntry:
    settings = servers.settings_for(folder)
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        entry = an_entry(content=CONTENT, title=TITLE)
        assert messages.provide(server, a_submission(entry), {entry.entry_uuid: CONTENT}).status == "Success"
    return entry


def test_without_encryption_all_of_it_stands_in_the_files(tmp_path: Path) -> None:
    """What the next test looks for can be found."""
    submitted(tmp_path)
    found = [words_in(file) for file in tmp_path.rglob("*") if file.is_file()]
    assert set().union(*found) == set(TELLING)


@pytest.mark.skipif(bool(refusal), reason=refusal or "encrypted volumes are possible")
def test_nothing_stands_on_the_device_and_all_of_it_comes_back(tmp_path: Path) -> None:
    image = luks.new_image(tmp_path / "volume")
    with luks.mounted(image, tmp_path / "srv") as folder:
        entry = submitted(folder / "data")
    assert words_in(image) == set()
    with (
        luks.mounted(image, tmp_path / "srv") as folder,
        servers.in_process(servers.settings_for(folder / "data")) as server,
    ):
        assert messages.contents(messages.retrieve(server, (REPOSITORY, entry.unique_id or ""))) == [CONTENT]
