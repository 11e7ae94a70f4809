"""What the settings of notices must say: where they go, and from whom."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from carnet.elsewhere_settings import is_loopback

_SCHEMES = ("smtp", "smtps", "https", "http", "file")
MAIL_PORTS = {"smtp": 587, "smtps": 465}


def notice_rules(settings: Any) -> Iterator[str]:
    """What is wrong with the settings of notices."""
    if not settings.notices:
        return
    try:
        url = urlsplit(settings.notices)
        is_port = url.port != 0
    except ValueError:
        url, is_port = urlsplit(""), False
    if not is_port or url.scheme not in _SCHEMES or (url.scheme != "file" and not url.hostname):
        expected = "smtp://HOST, smtps://HOST, https://HOST/PATH or file:///PATH"
        yield f"setting notices: found {settings.notices!r}, expected {expected}"
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        yield "setting notices: found http beyond this machine, expected https"
    if url.scheme in MAIL_PORTS and "@" not in settings.notices_from:
        yield f"setting notices_from: found {settings.notices_from!r}, expected the address that messages come from"
