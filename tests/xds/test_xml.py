"""The one parser of untrusted XML: what it refuses, and that it touches nothing but its input."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attacks.watch import memory
from tests.servers import ROOT, ROOT_OF_CORPUS
from xds.xml import BadXml, XmlLimits, parse, simple_text, text_of

NAMESPACES = " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(65))


@pytest.mark.parametrize(
    ("data", "reason"),
    {
        "nothing": (b"", "not well-formed"),
        "not closed": (b"<a>", "not well-formed (line 1)"),
        "two roots": (b"<a/><b/>", "not well-formed"),
        "a DOCTYPE": (b"<!DOCTYPE a><a/>", "document type"),
        "an external DTD": (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        "an internal entity": (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        "an external entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        "XML 1.1": (b'<?xml version="1.1"?><a/>', "version"),
        "UTF-7": (b'<?xml version="1.0" encoding="utf-7"?><a/>', "encoding"),
        "Latin-1 declared": (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "encoding"),
        "Latin-1 undeclared": ("<a>é</a>".encode("latin-1"), "UTF-8"),
        "overlong UTF-8": (b"<a>\xc0\xaf</a>", "UTF-8"),
        "a NUL": (b"<a>\x00</a>", "zero octet"),
        "an attribute twice": (b'<a b="1" b="2"/>', "not well-formed"),
        "an unbound prefix": (b"<x:a/>", "not well-formed"),
        "too deep": (b"<a>" * 300 + b"</a>" * 300, "not well-formed"),
        "too many attributes": (b"<a " + b" ".join(b'a%d=""' % n for n in range(257)) + b"/>", "257"),
        "too many namespaces": (f"<a {NAMESPACES}/>".encode(), "64 namespace"),
        "too long a text": (b"<a>" + b"x" * (9 * 2**20) + b"</a>", "octets"),
    }.values(),
    ids=lambda value: None,
)
def test_what_is_refused_says_why_and_repeats_nothing(data: bytes, reason: str) -> None:
    with pytest.raises(BadXml) as caught:
        parse(data)
    assert reason.replace("257", "256") in str(caught.value)
    assert "passwd" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"\xef\xbb\xbf<a/>",
        b'<?xml version="1.0" encoding="UTF-8"?><a/>',
        b'<?xml version="1.0" encoding="us-ascii"?><a/>',
        "<a>é</a>".encode(),
        "<a>é</a>".encode("utf-16"),
        b"<a><!-- a comment --></a>",
        b"<a><![CDATA[x]]></a>",
    ],
)
def test_what_is_accepted(data: bytes) -> None:
    assert parse(data).tag == "a"


def test_the_transports_charset_agrees_with_the_document() -> None:
    assert parse(b"<a/>", charset='"utf-8"').tag == "a"
    with pytest.raises(BadXml):
        parse(b"<a/>", charset="iso-8859-1")


def test_processing_instructions_are_refused_where_asked() -> None:
    for data in (b"<?x y?><a/>", b"<a><?x y?></a>", b"<a/><?x y?>"):
        assert parse(data).tag == "a"
        with pytest.raises(BadXml, match="processing instruction"):
            parse(data, processing_instructions=False)


def test_limits_are_settings() -> None:
    with pytest.raises(BadXml, match="more than 3 elements"):
        parse(b"<a><b/><b/><b/></a>", limits=XmlLimits(elements=3))
    with pytest.raises(BadXml, match="more than 5 octets"):
        parse(b"<a>x</a>", limits=XmlLimits(octets=5))


def test_a_value_with_anything_inside_is_not_cut_short() -> None:
    assert simple_text(parse(b"<a>admin<![CDATA[@x]]></a>")) == "admin@x"
    for data in (b"<a>admin<!-- -->@x</a>", b"<a>admin<b/>@x</a>"):
        with pytest.raises(BadXml):
            simple_text(parse(data))
    assert text_of(parse(b"<a> admin<!-- no -->@x </a>")) == "admin@x"


def test_deep_declarations_cost_no_more_than_wide_ones() -> None:
    """Every element in their scope is looked at, but not their scope at every element."""
    names = [b"d%d" % number for number in range(240)]
    inside = b"<a/>" * 20_000
    ends = b"".join(b"</%s>" % name for name in reversed(names))
    deep = b"".join(b'<%s xmlns:%s="urn:x">' % (name, name) for name in names) + inside + ends
    plain = b"".join(b"<%s>" % name for name in names) + inside + ends

    def cost(data: bytes) -> float:
        began = time.process_time()
        for _ in range(3):
            parse(data)
        return time.process_time() - began

    cost(plain)
    assert cost(deep) < 10 * cost(plain)


@given(st.binary(max_size=200))
def test_noise_is_parsed_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        parse(data)
    except BadXml as problem:
        assert str(problem)


def hostile() -> list[Path]:
    folders = ("xml-malformed", "xml-bombs", "xxe-payloads", "xml-fuzz-seeds")
    return sorted(
        path for folder in folders for path in (ROOT_OF_CORPUS / "attacks" / folder).rglob("*") if path.is_file()
    )


@pytest.mark.corpus
def test_hostile_files_are_refused_or_harmless_and_quick(corpus: Path) -> None:
    files = hostile()
    assert len(files) > 300
    for path in files:
        began = time.perf_counter()
        try:
            root = parse(path.read_bytes())
            assert root.getroottree().docinfo.internalDTD is None, path
        except BadXml:
            continue
        finally:
            assert time.perf_counter() - began < 2, path


_WATCHED = """
import pathlib, sys
from xds.xml import BadXml, parse
parse(b"<a/>")
files = [(name, pathlib.Path(name).read_bytes()) for name in sys.argv[1:]]
def watch(event, arguments):
    if event in ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(watch)
for name, data in files:
    try:
        parse(data)
    except BadXml:
        pass
"""


@pytest.mark.corpus
def test_no_file_is_opened_and_nobody_called_while_parsing(corpus: Path) -> None:
    names = [str(path) for path in hostile()]
    result = subprocess.run(
        [sys.executable, "-c", _WATCHED, *names], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr


def many_names(kind: str, prefix: str) -> bytes:
    names = [f"{prefix}x{at}" for at in range(60_000)]
    if kind == "attributes":
        return b"<a " + " ".join(f"{name}='1'" for name in names).encode() + b"/>"
    return b"<a>" + "".join(f"<{name}/>" for name in names).encode() + b"</a>"


@pytest.mark.parametrize("kind", ["attributes", "elements"])
def test_names_that_are_ever_new_do_not_stay_in_memory(kind: str) -> None:
    """In a thread that lives as long as its server lxml alone would keep 200 MB of them."""
    kept = parse(b"<kept><child attribute='1'/></kept>")
    before = memory()
    for number in range(40):
        with contextlib.suppress(BadXml):
            parse(many_names(kind, f"n{number}"))
    assert memory() - before < 40 * 2**20
    kept.append(parse(b"<other><child attribute='2'/></other>")[0])
    assert kept.xpath("child/@attribute") == ["1", "2"]
