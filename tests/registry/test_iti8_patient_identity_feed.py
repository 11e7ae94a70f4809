"""Patient Identity Feed: every message is answered, and only what it may change changes. ITI TF-2: 3.8."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_policy.caller import OPEN_CALLER
from registry import iti8_patient_identity_feed as iti8
from registry import patients
from registry.hl7v2 import MessageRefused, read_message
from registry.store import Registry
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX

RED, GREEN = "1.3.6.1.4.1.21367.13.20.1000", "1.3.6.1.4.1.21367.13.20.2000"
TWO = AffinityDomain(name="ihe", assigning_authorities=frozenset({RED, GREEN}), authority_names={"IHERED": RED})
ONE = AffinityDomain(name="ihe", assigning_authorities=frozenset({RED}), default_authority=RED)


def adt(event: str = "A01", pid: str = f"P1^^^&{RED}&ISO", mrg: str = "", **msh: str) -> str:
    kind, control, version = (
        msh.get(name, default) for name, default in (("kind", f"ADT^{event}"), ("control", "42"), ("version", "2.3.1"))
    )
    segments = [
        f"MSH|^~\\&|EHR|CLINIC|CARNET|XDS|20260310||{kind}|{control}|P|{version}",
        "EVN||20260310",
        f"PID|||{pid}||DOE^JANE",
    ]
    return "\r".join([*segments, *([f"MRG|{mrg}"] if mrg else []), "PV1||O", ""])


def send(registry: Registry, message: str) -> tuple[str, str]:
    """MSA-1 and the rest of the answer."""
    answer = iti8.hl7v2(registry, message.encode(), OPEN_CALLER)
    msa = answer.octets.decode().split("\r")[1].split("|")
    assert msa[:2] == ["MSA", answer.code]
    return msa[1], answer.octets.decode()


@pytest.fixture
def feed(registry: Registry) -> Registry:
    registry.domain = TWO
    return registry


def known(registry: Registry) -> set[str]:
    return {one.key for one, into in patients.all_patients(registry) if one.authority in (RED, GREEN) and into is None}


def cx(identifier: str, authority: str = RED) -> str:
    return f"{identifier}^^^&{authority}&ISO"


@pytest.mark.parametrize("event", ["A01", "A04", "A05"])
def test_admissions_make_patients_known_and_may_be_repeated(feed: Registry, event: str) -> None:
    for _ in range(2):
        assert send(feed, adt(event))[0] == "AA"
    assert known(feed) == {cx("P1")}


def test_every_identifier_of_the_domain_is_kept_and_no_other(feed: Registry) -> None:
    pid = f"{cx('P1')}~{cx('P2', GREEN)}~P3^^^&1.2.3&ISO~P4^^^&{RED}&DNS~{cx('P1')}^MR"
    assert send(feed, adt(pid=pid))[0] == "AA"
    assert known(feed) == {cx("P1"), cx("P2", GREEN)}


@pytest.mark.parametrize("event", ["A01", "A04", "A05"])
@pytest.mark.parametrize("pid", ["P1^^^&1.2.3&ISO", f"P1^^^&1.2.3&ISO~P2^^^&{RED}&DNS"])
def test_a_patient_of_other_domains_alone_is_ignored_and_the_sender_is_told(
    feed: Registry, event: str, pid: str
) -> None:
    code, text = send(feed, adt(event, pid=pid))
    assert (code, known(feed)) == ("AA", set())
    assert "|PID-3: found no identifier of the affinity domain; nothing was to be done" in text
    assert "ERR|" not in text


def test_a_name_stands_for_its_authority(feed: Registry) -> None:
    assert send(feed, adt(pid="P1^^^IHERED"))[0] == "AA"
    assert known(feed) == {cx("P1")}


@pytest.mark.parametrize("pid", ["P1", "P1^^^ANY", "P1^^^&&ISO", f"P1^^^ANY&{RED}&ISO", f"P1^^^&{RED}"])
def test_the_only_authority_is_filled_in(feed: Registry, pid: str) -> None:
    feed.domain = ONE
    assert send(feed, adt(pid=pid))[0] == "AA"
    assert known(feed) == {cx("P1")}


@pytest.mark.parametrize("pid", ["P1", "P1^^^ANY"])
def test_nothing_is_guessed_among_several_authorities(feed: Registry, pid: str) -> None:
    code, text = send(feed, adt(pid=pid))
    assert (code, "ERR|PID^1^3^101&" in text, known(feed)) == ("AE", True, set())


@pytest.mark.parametrize("stray", ["4711", "4711^^^LABO"])
def test_a_number_that_no_authority_is_known_of_does_no_harm_beside_ours(feed: Registry, stray: str) -> None:
    """Systems send their own number along, often without saying whose it is."""
    for domain in (ONE, TWO):
        feed.domain = domain
        assert send(feed, adt("A01", f"{stray}~P1^^^&{RED}&ISO"))[0] == "AA"
    assert send(feed, adt("A04", f"P2^^^&{RED}&ISO~{stray}"))[0] == "AA"
    assert known(feed) == {cx("P1"), cx("P2")}
    assert send(feed, adt("A40", f"{stray}~P1^^^&{RED}&ISO", f"{stray}~P2^^^&{RED}&ISO"))[0] == "AA"
    code, text = send(feed, adt("A01", f"{stray}~P1^^^&9.9.9&ISO"))
    assert (code, "ERR|PID^1^3^101&PID-3: found no OID" in text) == ("AE", True)


def test_demographics_are_acknowledged_and_ignored(feed: Registry) -> None:
    assert send(feed, adt("A08"))[0] == "AA"
    assert known(feed) == set()


def merged(registry: Registry, **given: str) -> tuple[str, str]:
    for identifier in ("P1", "P2", "P3"):
        send(registry, adt(pid=cx(identifier)))
    return send(registry, adt("A40", **({"pid": cx("P1"), "mrg": cx("P2"), "kind": "ADT^A40^ADT_A39"} | given)))


def test_a_merge_subsumes_the_prior_identifier(feed: Registry) -> None:
    assert merged(feed)[0] == "AA"
    assert known(feed) == {cx("P1"), cx("P3")}
    assert send(feed, adt(pid=cx("P2")))[0] == "AE"


def test_a_merge_takes_the_identifier_of_the_domain_among_others(feed: Registry) -> None:
    assert merged(feed, pid=f"X^^^&1.2.3&ISO~{cx('P1')}", mrg=f"Y^^^&1.2.3&ISO~{cx('P2')}")[0] == "AA"
    assert known(feed) == {cx("P1"), cx("P3")}


@pytest.mark.parametrize(
    ("given_", "location"),
    [
        ({"mrg": cx("P1")}, "MRG^1^1"),
        ({"mrg": cx("404")}, "MRG^1^1"),
        ({"pid": cx("404")}, "PID^1^3"),
        ({"mrg": "P2^^^&1.2.3&ISO"}, "MRG^1^1"),
        ({"pid": "P1^^^&1.2.3&ISO"}, "PID^1^3"),
        ({"mrg": ""}, "MRG"),
        ({"mrg": f"{cx('P2')}~{cx('P3')}"}, "MRG^1^1"),
        ({"pid": f"{cx('P1')}~{cx('P3')}"}, "PID^1^3"),
    ],
)
def test_a_merge_that_cannot_be_is_refused_where_it_is_wrong(
    feed: Registry, given_: dict[str, str], location: str
) -> None:
    code, text = merged(feed, **given_)
    assert (code, known(feed)) == ("AE", {cx("P1"), cx("P2"), cx("P3")})
    assert f"\rERR|{location}^" in text


def test_a_merge_is_done_once(feed: Registry) -> None:
    assert merged(feed)[0] == "AA"
    assert merged(feed)[0] == "AE"
    assert merged(feed, mrg=cx("P3"), pid=cx("P2"))[0] == "AE"


@pytest.mark.parametrize(
    ("message", "code", "problem"),
    [
        (adt("A03"), "AR", "201"),
        (adt("A99"), "AR", "201"),
        (adt(kind="ORU^R01"), "AR", "200"),
        (adt(kind=""), "AR", "200"),
        (adt(version="3.0"), "AR", "203"),
        (adt(control=""), "AE", "101"),
        (adt(pid=""), "AE", "204"),
        (adt(pid="1\\H\\2^^^IHERED"), "AE", "102"),
        (adt().replace("PID|", "ZPI|"), "AE", "100"),
        (adt() + "PID|||9\r", "AE", "100"),
        ("garbage", "AR", "100"),
        ("", "AR", "100"),
    ],
)
def test_no_message_is_met_with_silence(feed: Registry, message: str, code: str, problem: str) -> None:
    answered, text = send(feed, message)
    assert (answered, f"^{problem}&" in text) == (code, True)
    assert known(feed) == set()
    assert ("MSA|" + code + "|42|" in text) == ("|42|" in message)


def test_a_sender_that_is_not_allowed_is_rejected(feed: Registry) -> None:
    answer = iti8.hl7v2(
        feed, adt().encode(), OPEN_CALLER, is_allowed=lambda app, facility: (app, facility) == ("EHR", "OTHER")
    )
    assert (answer.code, known(feed)) == ("AR", set())


def test_a_database_that_fails_asks_for_the_message_again(feed: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> UnitOfWork:
        raise StorageFailed("disk full")

    monkeypatch.setattr(feed.units, "write", fails)
    code, text = send(feed, adt())
    assert (code, "send the message again" in text, "disk full" in text) == ("AE", True, False)


@given(st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_an_identifier_arrives_as_it_was_meant(identifier: str) -> None:
    message = read_message(adt(pid=str(CX.of(id=identifier, authority=RED))).encode())
    if identifier == '""':
        with pytest.raises(MessageRefused):
            iti8.read_feed(message, TWO)
    else:
        assert iti8.read_feed(message, TWO).patients == (CX.of(id=identifier, authority=RED),)


def test_any_authority_is_taken_where_the_domain_names_none(feed: Registry) -> None:
    feed.domain = replace(TWO, assigning_authorities=frozenset())
    assert send(feed, adt(pid=f"P1^^^&{GREEN}&ISO"))[0] == "AA"
    assert known(feed) == {cx("P1", GREEN)}
