"""Takes the pictures of docs/certification.md from the real pages: `python -m tests.conformance.pictures`.

A certification with the own tools, one message of which claims a version of the VIHF that does not exist. It needs
Chromium. What is seen is invented.
"""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from access_policy.make_vihf import make_vihf
from carnet.dmp_client import DmpClient
from carnet.exchange import ClientError
from carnet.pki_folder import read_credential
from carnet.proof import Proof
from conformance.client.certification import REPORT, Certification, open_certification
from conformance.client.preparation import prepare
from conformance.client.scenarios import read_people, steps_of
from conformance.judgement import Heading
from conformance.report.page import write_page
from conformance.requirements import Actor
from conformance.run_folder import RunFolder
from tests import browsers
from tests.browsers import Page
from tests.conformance.vendor_software import Software
from tests.servers import ROOT

PICTURES = ROOT / "docs" / "pictures"
_WIDE, _PHONE = 900, 360


def main() -> None:
    """Two of the page of a run that goes on, three of its report."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as place, chdir(place):
        folder = Path("runs") / "mine"  # as in the guide: what is seen names no place of this machine
        with _certified(folder) as (opened, software):
            _mistaken(software)
            software.tests_existence()
            _live(opened)
            opened.session.confirm()
            software.search()
            opened.session.settle()
        write_page(RunFolder(path=folder).load(), folder / REPORT)
        _report((folder / REPORT).absolute())


@contextmanager
def _certified(folder: Path) -> Iterator[tuple[Certification, Software]]:
    people, kept = read_people(), RunFolder(path=folder)
    prepared = prepare(folder / "laboratory", people, ("localhost", "127.0.0.1"))
    heading = Heading(
        actor=Actor.CLIENT, subject="Logiciel d'essai 3.2", profiles=("consultation",), started=datetime.now(UTC)
    )
    kept.start(heading)
    with open_certification(prepared, people, steps_of(["consultation"]), kept, ("127.0.0.1", 0)) as opened:
        yield opened, Software(opened.url, prepared, people)


def _mistaken(software: Software) -> None:
    """TD0.2 with VIHF 5.0, which the server refuses."""
    signer = read_credential(software.prepared.issued(software.doctor, "signature"))
    claim = replace(software.claim(software.people.patient("followed")), version="5.0")
    now = datetime.now(UTC).replace(microsecond=0)
    assertion = make_vihf(claim, signer.certificate, signer.key, now=now)
    client = DmpClient(software.url, proof=Proof(context=software.context(), assertion=assertion))
    try:
        client.existence(software.cx(software.people.patient("followed")))
    except ClientError as refused:
        print(f"refused, as it should be: {refused}")


def _live(opened: Certification) -> None:
    opened.session.settle()
    for name, width, height in (("client-step", _WIDE, 1120), ("client-phone", _PHONE, 640)):
        with browsers.opened(opened.page, width=width, height=height, locale="fr-FR") as shown:
            shown.page.wait_for_selector("#messages details")
            shown.page.click("#messages summary")
            place = "#step" if width == _PHONE else "body"
            shown.page.evaluate(f"document.querySelector('{place}').scrollIntoView()")
            _take(shown.page, name, shown.complaints)


def _report(report: Path) -> None:
    with browsers.opened(report.as_uri(), width=_WIDE, height=700, locale="fr-FR") as shown:
        _take(shown.page, "report-summary", shown.complaints)
        shown.page.click("#mend a")
        _take(shown.page, "report-requirement", shown.complaints)
        message = shown.page.get_attribute("details.requirement[open] a[href^='#message']", "href")
        shown.page.click(f"details.requirement[open] a[href='{message}']")
        _take(shown.page, "report-message", shown.complaints)


def _take(page: Page, name: str, complaints: list[str]) -> None:
    if complaints:
        raise SystemExit(f"{name}: the browser complained of {complaints}")
    page.screenshot(path=PICTURES / f"{name}.png")
    print(PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
