"""`carnet db rerender`: what an earlier version stored without a rendering gets one."""

from pathlib import Path

from sqlalchemy import create_engine, text

from tests import forked, messages, servers
from tests.builders import PATIENT, a_submission, an_entry


def test_everything_is_rendered_anew_beside_a_running_server(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path)
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        entry = an_entry(content=b"rendered")
        assert messages.provide(server, a_submission(entry), {entry.entry_uuid: b"rendered"}).status == "Success"
        asked = f"/fhir/List?code=submissionset&patient.identifier={PATIENT.id}"
        before = server.request("GET", asked)
        assert b'"total":1' in before.body
        engine = create_engine(settings.database_url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE registry_object SET fhir = NULL"))
        engine.dispose()
        done = forked.run(["db", "rerender", "--data", str(tmp_path)])
        assert (done.returncode, done.stdout) == (0, "2 objects rendered\n"), done.stderr
        after = server.request("GET", asked)
        assert b'"total":1' in after.body
        assert len(after.body) == len(before.body)


def test_a_mistyped_folder_is_refused(tmp_path: Path) -> None:
    done = forked.run(["db", "rerender", "--data", str(tmp_path / "nothing")])
    assert done.returncode == 2
    assert "expected the database of a server" in done.stderr
