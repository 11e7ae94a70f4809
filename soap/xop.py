"""XOP includes: which MIME part stands for which base64 element. XOP 2.1, ITI TF-2x: V.3.6."""

from urllib.parse import unquote

from lxml import etree

from soap.faults import sender

XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = f"{{{XOP}}}Include"
_CID = "cid:"


def include_href(element: etree._Element) -> str | None:
    """The href of the single `xop:Include` child, None when the content is inline.

    Raises SoapFault for an Include beside other content.
    """
    includes = element.findall(INCLUDE)
    if not includes:
        return None
    if len(includes) > 1 or len(element) != 1 or (element.text or "").strip() or (includes[0].tail or "").strip():
        raise sender("an xop:Include stands beside other content")
    return includes[0].get("href", "").strip()


def content_id_matches(href: str, content_id: str) -> bool:
    """Compare raw and percent-decoded, both ways: clients encode one of them or neither."""
    wanted, found = href.removeprefix(_CID), content_id
    return wanted == found or unquote(wanted) == found or unquote(wanted) == unquote(found)


def strip_includes(body: etree._Element) -> None:
    """Take the includes out, so that the body can be checked against the schema."""
    for include in list(body.iter(INCLUDE)):
        parent = include.getparent()
        if parent is not None:
            parent.remove(include)


def check_includes(envelope: etree._Element, holder: str, *, root_id: str) -> None:
    """Refuse includes outside `holder`, of anything but `cid:`, of one part twice, and of the root itself."""
    hrefs = []
    for include in envelope.iter(INCLUDE):
        parent = include.getparent()
        if parent is None or parent.tag != holder:
            raise sender("an xop:Include stands where no document is expected")
        href = include.get("href", "").strip()
        if not href.startswith(_CID):
            raise sender("an xop:Include refers to something else than a part of the message (cid:)")
        hrefs.append(unquote(href))
    if len(hrefs) != len(set(hrefs)):
        raise sender("two xop:Include refer to the same part of the message")
    if root_id and any(content_id_matches(href, root_id) for href in hrefs):
        raise sender("an xop:Include refers to the root part of the message")
