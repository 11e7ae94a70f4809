"""Assertions, signatures and canonical forms of other people, read where they lie. S09 to S22, S25, S26, S29."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from access_policy.make_vihf import security_header
from access_policy.refusals import Refused, Subcode
from access_policy.security_header import SAML, WSSE
from access_policy.submission_signature import C14N, C14N_WITH_COMMENTS, canonical_octets, read_submission_signature
from carnet.pki import Use
from tests import sts, xua
from tests.conftest import ROOT
from xds.xml import BadXml, parse, simple_text

pytestmark = pytest.mark.corpus
ATTACKS = ROOT.parent / "shared" / "corpus" / "attacks"
ASSERTIONS = sorted((ATTACKS / "saml").glob("*.xml"))
SIGNATURES = sorted((ATTACKS / "xmldsig").glob("*.xml"))
BOMBS = sorted((ATTACKS / "xml-bombs").glob("wss4j-*.xml"))
C14N_INPUTS = sorted((ATTACKS / "c14n" / "libxml2").glob("*/*.xml"))
SLOWEST_SECONDS = 2


@pytest.fixture(scope="module")
def reached() -> Iterator[list[str]]:
    """Connections and programs, as the interpreter's own hook sees them; a hook stays for good, so there is one."""
    seen: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching[0] and event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
            seen.append(f"{event} {arguments}")

    sys.addaudithook(hook)
    yield seen
    watching[0] = False


@pytest.fixture(autouse=True)
def reaches_nothing(corpus: Path, reached: list[str]) -> Iterator[None]:
    yield
    assert reached == []


def messages_with(document: bytes) -> Iterator[bytes]:
    """The document in the header, and its assertion alone; nothing when it is no XML that gets that far."""
    try:
        root = parse(document)
    except BadXml:
        return
    yield sts.enveloped(b'<w:Security xmlns:w="%s">%s</w:Security>' % (WSSE.encode(), etree.tostring(root)))
    for assertion in root.iter(f"{{{SAML}}}Assertion"):
        yield sts.enveloped(security_header(assertion))


def test_there_is_a_corpus() -> None:
    assert len(ASSERTIONS) > 80
    assert len(SIGNATURES) > 20


@pytest.mark.parametrize("file", [*ASSERTIONS, *SIGNATURES, *BOMBS], ids=lambda file: file.stem)
def test_nothing_signed_by_strangers_is_accepted(file: Path) -> None:
    authenticator = sts.authenticator(providers=(xua.provider(),))
    for message in messages_with(file.read_bytes()):
        began = time.process_time()
        with pytest.raises(Refused) as refused:
            authenticator.caller(parse(message), sts.card()[Use.AUTHENTICATION].der)
        assert refused.value.reason.subcode in Subcode
        assert time.process_time() - began < SLOWEST_SECONDS


@pytest.mark.parametrize("file", [*ASSERTIONS, *SIGNATURES, *BOMBS], ids=lambda file: file.stem)
def test_nothing_of_it_is_the_signature_of_a_submission(file: Path) -> None:
    began = time.process_time()
    with pytest.raises(Refused):
        read_submission_signature(file.read_bytes(), sts.trust(), now=sts.NOW)
    assert time.process_time() - began < SLOWEST_SECONDS


@pytest.mark.parametrize("name", ["ruby-saml-response_node_text_attack", "ruby-saml-response_node_text_attack2"])
def test_s18_the_identity_of_a_cut_name_is_never_the_first_half(name: str) -> None:
    root = parse((ATTACKS / "saml" / f"{name}.xml").read_bytes())
    with pytest.raises(BadXml):
        for element in root.iter(f"{{{SAML}}}NameID", f"{{{SAML}}}AttributeValue"):
            simple_text(element)


def _mode(file: Path) -> dict[str, Any]:
    prefixes = file.with_suffix(".ns")
    names = prefixes.read_text().split() if prefixes.exists() else None
    return {
        "exclusive": file.parent.name.startswith("exc"),
        "with_comments": file.parent.name == "with-comments",
        "inclusive_ns_prefixes": names,
    }


def _vectors() -> list[Path]:
    """Whole documents that have an expected form."""
    return [
        one
        for one in C14N_INPUTS
        if not one.with_suffix(".xpath").exists() and (one.parent / "expected" / one.stem).exists()
    ]


@pytest.mark.parametrize("file", _vectors(), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_s29_canonical_forms_are_those_of_the_standard(file: Path) -> None:
    """The one place where a document type is loaded: the vectors need their defaults of attributes."""
    expected = (file.parent / "expected" / file.stem).read_bytes()
    parser = etree.XMLParser(load_dtd=True, attribute_defaults=True, resolve_entities=True, no_network=True)
    tree = etree.parse(str(file), parser)
    mode = _mode(file)
    assert etree.tostring(tree, method="c14n", **mode) == expected
    if not mode["exclusive"] and not file.parent.name.startswith("1-1"):
        ours = C14N_WITH_COMMENTS if mode["with_comments"] else C14N
        assert canonical_octets(tree.getroot(), ours) == expected
