"""`carnet export` and `carnet import` as their users run them, into stores and into a started server."""

import io
import json
import shutil
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from carnet.command_line import main
from carnet.reports import read_report
from tests import servers
from tests.servers import ROOT

INS = "258063523804186"
REPORTS = ROOT / "examples" / "reports"


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def carnet(*arguments: object) -> Run:
    """The command in this process, with the exit code that its caller would see."""
    out, err = io.StringIO(), io.StringIO()
    with patch.object(sys, "argv", ["carnet", *map(str, arguments)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Run(int(code or 0), out.getvalue(), err.getvalue())


def prepare(data: Path) -> None:
    """A database that knows the patient, as beside a server."""
    assert carnet("db", "upgrade", "--data", data).code == 0
    assert carnet("patient", "add", INS, "--data", data).code == 0


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A medium with the example reports, imported from their folder before."""
    folder = tmp_path_factory.mktemp("exported")
    prepare(folder / "data")
    imported = carnet("import", REPORTS, "--data", folder / "data", "--json")
    assert imported.code == 0, imported
    assert len(imported.json["imported"]) == 3
    again = carnet("import", REPORTS, "--data", folder / "data")
    assert (again.code, again.out.splitlines()[0]) == (0, "submissions: 0 imported, 3 skipped, 0 refused")
    written = carnet("export", INS, "--data", folder / "data", "--xdm", folder / "record.zip", "--json")
    assert (written.code, written.json["documents"], written.json["leftOut"]) == (0, 3, [])
    assert written.err == ""
    return folder / "record.zip"


def test_a_medium_goes_into_empty_stores_and_is_skipped_the_second_time(exported: Path, tmp_path: Path) -> None:
    assert carnet("db", "upgrade", "--data", tmp_path).code == 0
    refused = carnet("import", exported, "--data", tmp_path)
    assert (refused.code, refused.out.count("XDSUnknownPatientId")) == (1, 3)
    carnet("patient", "add", INS, "--data", tmp_path)
    imported = carnet("import", exported, "--data", tmp_path)
    assert (imported.code, imported.out) == (0, "submissions: 3 imported, 0 skipped, 0 refused\n")
    again = carnet("import", exported, "--data", tmp_path)
    assert (again.code, again.out.splitlines()[1]) == (0, "skipped IHE_XDM/SUBSET01/METADATA.XML: in already")


def test_a_medium_goes_into_a_server(exported: Path, tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path / "data")
    prepare(tmp_path / "data")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(exported) as archive:
        archive.extractall(unpacked)
    with servers.started(settings) as server:
        first = carnet("import", unpacked, "--url", server.url, "--json")
        assert (first.code, len(first.json["imported"])) == (0, 3), first
        second = carnet("import", exported, "--url", server.url, "--json")
        assert (second.code, len(second.json["skipped"])) == (0, 3), second
        for document in (one for subset in first.json["imported"] for one in subset["documents"]):
            assert carnet("get", document, "--url", server.url, "-o", tmp_path / "got").code == 0
            assert (tmp_path / "got").read_bytes() in [report.read_bytes() for report in REPORTS.glob("*.xml")]


def test_a_report_comes_after_the_one_it_replaces_whatever_the_names(tmp_path: Path) -> None:
    original = (REPORTS / "cr-biologie.xml").read_text(encoding="utf-8")
    unique_id = read_report(original.encode(), entry_uuid="Document01").entry.unique_id
    related = (
        f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{unique_id}"/></parentDocument></relatedDocument>'
    )
    newer = original.replace(f'<id root="{unique_id}"', '<id root="2.25.77"', 1)
    newer = newer.replace('<versionNumber value="1"/>', '<versionNumber value="2"/>', 1)
    at = newer.index("<componentOf>")
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "a-newer.xml").write_text(newer[:at] + related + newer[at:], encoding="utf-8")
    (reports / "b-older.xml").write_text(original, encoding="utf-8")
    prepare(tmp_path / "data")
    imported = carnet("import", reports, "--data", tmp_path / "data", "--json")
    assert [one["subset"] for one in imported.json["imported"]] == ["b-older.xml", "a-newer.xml"], imported
    written = carnet("export", INS, "--data", tmp_path / "data", "--xdm", tmp_path / "current.zip", "--json")
    assert written.json["documents"] == 1
    (reports / "b-older.xml").unlink()
    prepare(tmp_path / "other")
    alone = carnet("import", reports, "--data", tmp_path / "other")
    assert (alone.code, "expected a document that is in already" in alone.out) == (1, True)


def test_what_is_no_medium_ends_in_one_sentence(exported: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "data")
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.zip").write_bytes(b"noise")
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("IHE_XDM/../../evil", b"x")
    for source, word in (
        (tmp_path / "empty", "neither"),
        (tmp_path / "noise.zip", "no ZIP file"),
        (evil, "found the name"),
    ):
        result = carnet("import", source, "--data", tmp_path / "data")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("carnet: ")
        assert word in result.err
    assert not (tmp_path / "evil").exists()


def test_usage_errors(exported: Path, tmp_path: Path) -> None:
    shutil.copy(exported, tmp_path / "there.zip")
    for arguments in (
        ("export", INS, "--xdm", tmp_path / "there.zip"),
        ("export", INS, "--xdm", tmp_path / "new.zip", "--deprecated", "--one-set"),
        ("export", INS),
        ("import", tmp_path / "missing.zip"),
        ("import", exported, "--max-total-gb", "0"),
    ):
        result = carnet(*arguments, "--data", tmp_path / "data")
        assert result.code == 2, (arguments, result)


def test_an_unknown_patient_has_no_medium(tmp_path: Path) -> None:
    assert carnet("db", "upgrade", "--data", tmp_path / "data").code == 0
    result = carnet("export", INS, "--data", tmp_path / "data", "--xdm", tmp_path / "record.zip")
    assert (result.code, "XDSUnknownPatientId" in result.err) == (1, True)
    assert not (tmp_path / "record.zip").exists()
