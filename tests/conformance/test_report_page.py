"""The page of a run, read in a real browser: nothing of a message runs, all can be found, also by keyboard and on a phone."""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import html

from conformance.client.scenarios import judged_in
from conformance.report.page import EVIDENCE_OCTETS, MESSAGES_IN_FULL, write_page
from conformance.requirements import Actor, requirements_of
from tests import browsers
from tests.browsers import Page
from tests.conformance.runs import HARM, a_message, a_run

REQUIREMENTS = len(requirements_of(Actor.CLIENT))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(a_run(), path)
    return path


@pytest.fixture
def page(written: Path) -> Iterator[Page]:
    """The page, opened; what the browser complained of fails the test."""
    with browsers.opened(written.as_uri()) as shown:
        yield shown.page
        assert shown.complaints == []


def shown(page: Page) -> list[str]:
    return page.eval_on_selector_all(
        "details.requirement", "all => all.filter(one => one.checkVisibility()).map(one => one.id)"
    )


@pytest.mark.browser
def test_nothing_of_a_message_runs(page: Page) -> None:
    assert page.title().startswith("Conformité d'un logiciel client : Logiciel <script>")
    assert page.eval_on_selector_all("body script", "all => all.length") == 1
    assert page.eval_on_selector_all("img, iframe, object", "all => all.length") == 0
    assert HARM in str(page.text_content("#CLIENT-SOAP-01"))


@pytest.mark.browser
def test_a_script_that_got_in_all_the_same_would_not_run(written: Path, tmp_path: Path) -> None:
    """The policy of the page is the second wall: even markup that was not escaped runs nothing."""
    broken = tmp_path / "broken.html"
    broken.write_text(written.read_text("utf-8").replace("<header>", f"{HARM}<header>", 1), encoding="utf-8")
    with browsers.opened(broken.as_uri()) as shown:
        assert shown.page.title() != "harmed"
        assert any("Content Security Policy" in one for one in shown.complaints)


@pytest.mark.browser
def test_what_failed_is_open_and_the_counts_are_told(page: Page) -> None:
    assert page.eval_on_selector_all("details.requirement[open]", "all => all.map(one => one.id)") == [
        "CLIENT-SOAP-01",
        "CLIENT-META-05",
    ]
    assert page.inner_text("#coverage").startswith(
        f"3 exigences testées sur {REQUIREMENTS} ; de celles des scénarios : 3 sur {len(judged_in(['alimentation']))}"
    )
    assert [page.inner_text(f".summary .{name} b") for name in ("passed", "failed", "not-tested")] == [
        "1",
        "2",
        str(REQUIREMENTS - 3),
    ]


@pytest.mark.browser
def test_it_is_filtered_by_verdict_and_by_words(page: Page) -> None:
    assert len(shown(page)) == REQUIREMENTS
    page.uncheck("input[value=not-tested]")
    page.uncheck("input[value=passed]")
    assert shown(page) == ["CLIENT-SOAP-01", "CLIENT-META-05"]
    page.fill("#search", "ins clé")
    assert shown(page) == ["CLIENT-META-05"]
    assert page.inner_text("#shown").startswith("1 / ")


@pytest.mark.browser
def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("META-05")
    assert shown(page) == ["CLIENT-META-05"]
    page.keyboard.press("Escape")
    assert len(shown(page)) == REQUIREMENTS
    page.focus("#CLIENT-TLS-01 summary")
    page.keyboard.press("Enter")
    assert page.get_attribute("#CLIENT-TLS-01", "open") is not None
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('details').id") == "CLIENT-TLS-02"


@pytest.mark.browser
def test_a_finding_leads_to_its_message(page: Page) -> None:
    assert not page.is_visible("#message-0001 pre")
    page.click("#CLIENT-SOAP-01 a[href='#message-0001']")
    page.wait_for_selector("#message-0001 pre")
    assert '<a b="1">' in page.inner_text("#message-0001 pre")
    assert "constat" in page.inner_text("#message-0001 ul.findings")


@pytest.mark.browser
def test_both_languages_are_there(page: Page) -> None:
    assert page.inner_text("h1") == "Conformité d'un logiciel client"
    page.click("button[data-language=en]")
    assert page.inner_text("h1") == "Conformance of a client"
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_attribute("button[data-language=en]", "aria-pressed") == "true"


@pytest.mark.browser
def test_it_fits_a_phone_of_360_pixels(written: Path) -> None:
    with browsers.opened(written.as_uri(), width=360, height=740) as shown:
        for one in shown.page.query_selector_all("details"):
            one.evaluate("one => one.open = true")
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert shown.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 16


@pytest.mark.browser
def test_evidence_is_downloaded_as_it_was_on_the_wire(page: Page) -> None:
    page.evaluate("document.getElementById('message-0001').open = true")
    with page.expect_download() as arriving:
        page.click("#message-0001 a[download='0001.request']")
    assert Path(arriving.value.path()).read_bytes() == a_message(1).request


def test_large_octets_are_named_and_not_kept_in_the_page(tmp_path: Path) -> None:
    large = a_message(1, request=b"POST / HTTP/1.1\r\n\r\n" + b"x" * EVIDENCE_OCTETS)
    write_page(a_run(messages=0).__class__(heading=a_run().heading, messages=(large,)), tmp_path / "r.html")
    page = html.parse(str(tmp_path / "r.html")).getroot()
    assert "messages/0001.request" in page.xpath("string(//details[@id='message-0001'])")
    assert (tmp_path / "r.html").stat().st_size < 3 * EVIDENCE_OCTETS


def test_ten_thousand_messages_give_a_page_that_can_be_read(tmp_path: Path) -> None:
    """Those with a failed finding first; the number of the others is told."""
    write_page(a_run(messages=10_000), tmp_path / "r.html")
    page = html.parse(str(tmp_path / "r.html")).getroot()
    messages = page.xpath("//details[@class='message']/@id")
    assert (len(messages), messages[0]) == (MESSAGES_IN_FULL, "message-0001")
    assert "9500 more are in the folder." in page.text_content()


def test_what_hides_or_turns_text_round_is_made_visible(tmp_path: Path) -> None:
    write_page(a_run(), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "\u202e" not in text
    assert "\x00" not in text
    link = html.fromstring(text).xpath("string(//a[@download='0001.answer']/@href)")
    assert base64.b64decode(unquote(link).partition(",")[2]) == a_message(1).answer
