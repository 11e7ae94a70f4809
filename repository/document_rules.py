"""What a domain asks of the content of a submitted document: handed in, none by default. ITI TF-2: 3.41.4.1.3."""

from collections.abc import Callable, Iterable

from xds.errors import RegistryError
from xds.metadata import DocumentEntry

# The findings on one document, errors and warnings; the function reads its octets when they are needed.
DocumentRules = Callable[[DocumentEntry, Callable[[], bytes]], Iterable[RegistryError]]


def no_document_rules(_entry: DocumentEntry, _read: Callable[[], bytes]) -> Iterable[RegistryError]:
    """Any content is taken: the repository of a domain without rules of its own."""
    return ()
