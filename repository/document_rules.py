"""What a domain asks of the content of a submitted document: handed in, none by default. ITI TF-2: 3.41.4.1.3."""

from collections.abc import Callable
from dataclasses import dataclass

from xds.errors import RegistryError
from xds.metadata import DocumentEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVersion:
    """What a document says it is: version `number` of the documents of `set_id`. HL7 CDA R2 4.2.1.7, 4.2.1.8"""

    set_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found in one document, errors and warnings.

    `is_only_once`: neither its uniqueId nor its `version` may be those of a document that is held already.
    """

    findings: tuple[RegistryError, ...] = ()
    is_only_once: bool = False
    version: DocumentVersion | None = None


# Examines one document; the function reads its octets when they are needed.
DocumentRules = Callable[[DocumentEntry, Callable[[], bytes]], Examined]


def no_document_rules(_entry: DocumentEntry, _read: Callable[[], bytes]) -> Examined:
    """Any content is taken: the repository of a domain without rules of its own."""
    return Examined()
