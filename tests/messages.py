"""SOAP messages as clients send them, written out so that tests can break them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from tests.servers import Response, Server
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import Submission
from xds.vocabulary import LCM, QUERY, RIM, RMD, RS, XDS_B

PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
REGISTER = "urn:ihe:iti:2007:RegisterDocumentSet-b"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
ON_DEMAND = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"
REMOVE_METADATA = "urn:ihe:iti:2010:DeleteDocumentSet"
RESTRICTED_UPDATE = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet"
QUERY_ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
REMOVE = "urn:ihe:iti:2017:RemoveDocuments"
ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://www.w3.org/2005/08/addressing"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
FIND_SUBMISSION_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_ALL = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"
BOUNDARY = "uuid:3f1b2c9e+id=17"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A registry response taken out of its packaging."""

    response: Response
    envelope: etree._Element
    parts: Mapping[str, bytes]

    @property
    def status(self) -> str:
        found = next(self.envelope.iter(f"{{{RS}}}RegistryResponse", f"{{{QUERY}}}AdhocQueryResponse"))
        return str(found.get("status")).rpartition(":")[2]

    @property
    def codes(self) -> list[str]:
        return [str(error.get("errorCode")) for error in self.envelope.iter(f"{{{RS}}}RegistryError")]

    @property
    def contexts(self) -> list[str]:
        return [str(error.get("codeContext")) for error in self.envelope.iter(f"{{{RS}}}RegistryError")]

    @property
    def fault(self) -> list[str]:
        """Code and subcodes of a fault, from general to precise; empty when there is none."""
        return [str(one.text) for one in self.envelope.iterfind(f".//{{{ENVELOPE}}}Code//{{{ENVELOPE}}}Value")]

    @property
    def action(self) -> str:
        return str(self.envelope.findtext(f"{{{ENVELOPE}}}Header/{{{ADDRESSING}}}Action"))

    @property
    def body(self) -> etree._Element:
        body = self.envelope.find(f"{{{ENVELOPE}}}Body")
        assert body is not None
        return body[0]


def envelope(body: bytes, action: str | None, *, header: str = "", namespace: str = ENVELOPE) -> bytes:
    addressed = "" if action is None else f'<a:Action e:mustUnderstand="1">{action}</a:Action>'
    return (
        (
            f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{namespace}" xmlns:a="{ADDRESSING}"><e:Header>'
            f"{addressed}<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>{header}</e:Header><e:Body>"
        ).encode()
        + body
        + b"</e:Body></e:Envelope>"
    )


def multipart(
    root: bytes, parts: Sequence[tuple[str, bytes]] = (), *, boundary: str = BOUNDARY, eol: bytes = b"\r\n"
) -> bytes:
    def part(content_id: str, content_type: str, content: bytes) -> bytes:
        lines = [f"--{boundary}", f"Content-Type: {content_type}", "Content-Transfer-Encoding: binary"]
        lines += [f"Content-ID: <{content_id}>", "", ""]
        return eol.join(line.encode() for line in lines) + content + eol

    message = part("root@test", 'application/xop+xml; charset=UTF-8; type="application/soap+xml"', root)
    message += b"".join(part(content_id, "application/octet-stream", content) for content_id, content in parts)
    return message + f"--{boundary}--".encode() + eol


def multipart_type(*, boundary: str = BOUNDARY, start_info: bool = True, reversed_order: bool = False) -> str:
    parameters = [f'boundary="{boundary}"', 'type="application/xop+xml"', 'start="<root@test>"']
    if start_info:
        parameters.append('start-info="application/soap+xml"')
    if reversed_order:
        parameters.reverse()
    return "; ".join(["multipart/related", *parameters])


def provide_body(submission: Submission, documents: Mapping[str, str]) -> bytes:
    """`documents`: id -> content of the Document element (an Include or base64)."""
    inside = "".join(f'<x:Document id="{key}">{value}</x:Document>' for key, value in documents.items())
    head = f'<x:ProvideAndRegisterDocumentSetRequest xmlns:x="{XDS_B}">'.encode()
    request = write_submit_objects_request(submission.objects)
    return head + request + inside.encode() + b"</x:ProvideAndRegisterDocumentSetRequest>"


def include(content_id: str) -> str:
    return f'<i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:{content_id}"/>'


def provide(server: Server, submission: Submission, contents: Mapping[str, bytes]) -> Answered:
    """Provide and Register, MTOM, one part per document."""
    documents = {key: include(f"{key}@test") for key in contents}
    root = envelope(provide_body(submission, documents), PROVIDE)
    message = multipart(root, [(f"{key}@test", content) for key, content in contents.items()])
    return read(server.post("/xds/repository", message, multipart_type()))


def query_body(query: str, slots: Mapping[str, str | Sequence[str]], return_type: str = "LeafClass") -> bytes:
    parameters = ""
    for name, values in slots.items():
        inner = "".join(f"<r:Value>{escape(v)}</r:Value>" for v in ([values] if isinstance(values, str) else values))
        parameters += f'<r:Slot name="{name}"><r:ValueList>{inner}</r:ValueList></r:Slot>'
    return (
        f'<q:AdhocQueryRequest xmlns:q="{QUERY}" xmlns:r="{RIM}"><q:ResponseOption returnType="{return_type}" '
        f'returnComposedObjects="true"/><r:AdhocQuery id="{query}">{parameters}</r:AdhocQuery></q:AdhocQueryRequest>'
    ).encode()


def simple_type(action: str | None = None) -> str:
    return "application/soap+xml; charset=UTF-8" + (f'; action="{action}"' if action else "")


def query(server: Server, query_id: str, slots: Mapping[str, str], return_type: str = "LeafClass") -> Answered:
    message = envelope(query_body(query_id, slots, return_type), QUERY_ACTION)
    return read(server.post("/xds/registry", message, simple_type(QUERY_ACTION)))


def submit(server: Server, submission: Submission, action: str) -> Answered:
    """A transaction of the registry that brings objects: ITI-42, 57, 61 or 92."""
    message = envelope(write_submit_objects_request(submission.objects), action)
    return read(server.post("/xds/registry", message, simple_type(action)))


def remove_metadata(server: Server, *entry_uuids: str) -> Answered:
    references = "".join(f'<r:ObjectRef id="{entry_uuid}"/>' for entry_uuid in entry_uuids)
    body = f'<l:RemoveObjectsRequest xmlns:l="{LCM}" xmlns:r="{RIM}"><r:ObjectRefList>{references}</r:ObjectRefList></l:RemoveObjectsRequest>'
    return read(server.post("/xds/registry", envelope(body.encode(), REMOVE_METADATA), simple_type(REMOVE_METADATA)))


def retrieve_body(*documents: tuple[str, str]) -> bytes:
    requests = "".join(
        f"<x:DocumentRequest><x:RepositoryUniqueId>{repository}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{document}</x:DocumentUniqueId></x:DocumentRequest>"
        for repository, document in documents
    )
    return f'<x:RetrieveDocumentSetRequest xmlns:x="{XDS_B}">{requests}</x:RetrieveDocumentSetRequest>'.encode()


def retrieve(server: Server, *documents: tuple[str, str]) -> Answered:
    message = multipart(envelope(retrieve_body(*documents), RETRIEVE))
    return read(server.post("/xds/repository", message, multipart_type()))


def contents(answered: Answered) -> list[bytes]:
    """The documents of a retrieve answer, in its order."""
    found = []
    for document in answered.envelope.iter(f"{{{XDS_B}}}Document"):
        href = str(document[0].get("href")).removeprefix("cid:")
        found.append(answered.parts[href])
    return found


def read(response: Response) -> Answered:
    """Unpack an answer with a parser that is not the server's: plain string cutting."""
    content_type = response.headers["content-type"]
    if not content_type.startswith("multipart/related"):
        return Answered(response=response, envelope=etree.fromstring(response.body), parts={})
    boundary = content_type.partition('boundary="')[2].partition('"')[0].encode()
    pieces = (b"\r\n" + response.body).split(b"\r\n--" + boundary)
    assert pieces[-1] == b"--\r\n"
    parts: dict[str, bytes] = {}
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        content_id = head.partition(b"Content-ID: <")[2].partition(b">")[0].decode()
        parts[content_id] = content
    root_id = content_type.partition('start="<')[2].partition('>"')[0]
    return Answered(response=response, envelope=etree.fromstring(parts.pop(root_id)), parts=parts)


def remove_body(*documents: tuple[str, str]) -> bytes:
    requests = retrieve_body(*documents).partition(b">")[2].rpartition(b"<")[0]
    head = f'<m:RemoveDocumentsRequest xmlns:m="{RMD}" xmlns:x="{XDS_B}">'.encode()
    return head + requests + b"</m:RemoveDocumentsRequest>"


def remove(server: Server, *documents: tuple[str, str]) -> Answered:
    """Remove Documents, simple SOAP with the action in the Content-Type."""
    message = envelope(remove_body(*documents), REMOVE)
    return read(server.post("/xds/repository", message, simple_type(REMOVE)))
