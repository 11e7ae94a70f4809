"""One document named in a request: what Retrieve Document Set and Remove Documents ask by. ITI TF-2: 3.43.4.1.2."""

from dataclasses import dataclass

from lxml import etree

from xds.errors import ErrorCode, RegistryError
from xds.vocabulary import XDS_B
from xds.xml import text_of

_REQUEST = f"{{{XDS_B}}}DocumentRequest"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRequest:
    """One document asked for. ITI TF-2: 3.43.4.1.2"""

    repository_unique_id: str
    document_unique_id: str
    home_community_id: str | None = None

    def error(self, code: ErrorCode, context: str) -> RegistryError:
        """What is wrong with this one; its location is the DocumentUniqueId. ITI TF-3: 4.2.4.1"""
        return RegistryError(code=code, context=context, location=self.document_unique_id)


def read_document_requests(body: etree._Element) -> tuple[DocumentRequest, ...]:
    """The `xds:DocumentRequest` children of a valid body, in their order."""
    return tuple(
        DocumentRequest(
            home_community_id=_text(element, "HomeCommunityId"),
            repository_unique_id=_text(element, "RepositoryUniqueId") or "",
            document_unique_id=_text(element, "DocumentUniqueId") or "",
        )
        for element in body.iterchildren(_REQUEST)
    )


def _text(element: etree._Element, name: str) -> str | None:
    child = element.find(f"{{{XDS_B}}}{name}")
    return None if child is None else text_of(child)
