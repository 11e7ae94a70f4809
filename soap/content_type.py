"""Content-Type of requests and of MIME parts. RFC 2045: 5.1."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

_PARAMETER = re.compile(r";\s*([\w!#$&^.+*-]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;\s]*)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """A media type in lower case and its parameters, names in lower case, in any order."""

    media_type: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def parameter(self, name: str) -> str:
        return self.parameters.get(name, "")


@lru_cache(maxsize=64)
def parse_content_type(text: str) -> ContentType:
    """Read a header value; parameters that cannot be read are left out. A client sends the same one each time."""
    media_type, separator, rest = text.partition(";")
    found = {match[1].lower(): _unquoted(match[2]) for match in _PARAMETER.finditer(separator + rest)}
    return ContentType(media_type=media_type.strip().lower(), parameters=MappingProxyType(found))


def _unquoted(text: str) -> str:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
