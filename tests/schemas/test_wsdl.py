"""A SOAP client builds itself from the service descriptions as they are served. ITI TF-2x: V."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import xmlschema
import zeep
from lxml import etree

from schemas import resource
from schemas.wsdl import wsdl, xsd

ADDRESS = "https://registry.example.org/xds/registry"
NAMESPACES = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "soap": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsam": "http://www.w3.org/2007/05/addressing/metadata",
    "wsaw": "http://www.w3.org/2006/05/addressing/wsdl",
    "query": "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0",
    "xs": "http://www.w3.org/2001/XMLSchema",
}
IHE_2007 = "urn:ihe:iti:2007"
ACKNOWLEDGEMENT = "urn:hl7-org:v3:MCCI_IN000002UV01"
FEED = ("PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02")
V3, RECORDS, HABILITATIONS = "urn:hl7-org:v3", "urn:si-dmp-patients", "urn:si-dmp-habilitations"
# Requests about the records of persons: name -> (service, operation, action, namespace of the request, answer).
RECORD_REQUESTS = {
    "PRPA_IN201305UV02": ("PDQSupplier_PRPA_IN201305UV02", f"{V3}:PRPA_IN201306UV02"),
    "PRPA_IN201307UV02": ("PatientGetDemographics_PRPA_IN201307UV02", f"{V3}:PRPA_IN201308UV02"),
    "PRPA_IN201311UV02": ("PatientAdd_PRPA_IN201311UV02", f"{V3}:PRPA_IN201311UV02_Response"),
    "PRPA_IN201314UV02": ("PatientRevise_PRPA_IN201314UV02", f"{V3}:PRPA_IN201314UV02_Response"),
}
RECORD_SERVICES = {
    ("patients", "patientList"): f"{RECORDS}:PatientSpecificEndPoint",
    ("patients", "createPatientAccess"): f"{RECORDS}:PatientSpecificEndPoint",
    ("patients", "patientOTPUpdate"): f"{RECORDS}:PatientSpecificEndPoint",
    ("patients", "updatePatientAccess"): f"{RECORDS}:PatientSpecificEndPoint",
    ("habilitations", "setAuthorization"): f"{HABILITATIONS}:HabilitationsEndPoint",
    ("habilitations", "listAuthorizationByPatient"): f"{HABILITATIONS}:HabilitationsEndPoint",
}
SERVICES = ("registry", "repository", "patients", "habilitations", "recipient")


def _answer(name: str, action: str) -> str:
    """The element that answers a request; those that create or change a record are wrapped. DMP W19"""
    answer = action.rpartition(":")[2]
    return f"{{asip:ci-sis:gdp:2010}}{answer}" if answer.endswith("_Response") else f"{{{V3}}}{answer}"


OPERATIONS = {
    **{
        ("patients", operation): (f"{V3}:{name}", f"{{{V3}}}{name}", _answer(name, answered))
        for name, (operation, answered) in RECORD_REQUESTS.items()
    },
    **{
        (service, name): (
            f"{end}:{name}",
            f"{{{end.rpartition(':')[0]}}}{name}",
            f"{{{end.rpartition(':')[0]}}}{name}Response",
        )
        for (service, name), end in RECORD_SERVICES.items()
    },
    ("recipient", "DocumentRecipient_ProvideAndRegisterDocumentSet-b"): (
        f"{IHE_2007}:ProvideAndRegisterDocumentSet-b",
        "{urn:ihe:iti:xds-b:2007}ProvideAndRegisterDocumentSetRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    **{
        ("patients", f"DocumentRegistry_{name}"): (
            f"urn:hl7-org:v3:{name}",
            f"{{urn:hl7-org:v3}}{name}",
            "{urn:hl7-org:v3}MCCI_IN000002UV01",
        )
        for name in FEED
    },
    ("registry", "DocumentRegistry_RegistryStoredQuery"): (
        f"{IHE_2007}:RegistryStoredQuery",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryResponse",
    ),
    ("registry", "DocumentRegistry_RegisterDocumentSet-b"): (
        f"{IHE_2007}:RegisterDocumentSet-b",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}SubmitObjectsRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    ("registry", "DocumentRegistry_MultiPatientStoredQuery"): (
        "urn:ihe:iti:2009:MultiPatientStoredQuery",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryResponse",
    ),
    ("registry", "DocumentRegistry_UpdateDocumentSet"): (
        "urn:ihe:iti:2010:UpdateDocumentSet",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}SubmitObjectsRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    ("registry", "DocumentRegistry_RegisterOnDemandDocumentEntry"): (
        "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}SubmitObjectsRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    ("registry", "DocumentRegistry_DeleteDocumentSet"): (
        "urn:ihe:iti:2010:DeleteDocumentSet",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}RemoveObjectsRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    ("registry", "DocumentRegistry_RestrictedUpdateDocumentSet"): (
        "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}SubmitObjectsRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    ("repository", "DocumentRepository_ProvideAndRegisterDocumentSet-b"): (
        f"{IHE_2007}:ProvideAndRegisterDocumentSet-b",
        "{urn:ihe:iti:xds-b:2007}ProvideAndRegisterDocumentSetRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
    ("repository", "DocumentRepository_RetrieveDocumentSet"): (
        f"{IHE_2007}:RetrieveDocumentSet",
        "{urn:ihe:iti:xds-b:2007}RetrieveDocumentSetRequest",
        "{urn:ihe:iti:xds-b:2007}RetrieveDocumentSetResponse",
    ),
    ("repository", "DocumentRepository_RemoveDocuments"): (
        "urn:ihe:iti:2017:RemoveDocuments",
        "{urn:ihe:iti:rmd:2017}RemoveDocumentsRequest",
        "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse",
    ),
}
SCHEMA_OF = {V3: "hl7v3_records", RECORDS: "dmp_patients", HABILITATIONS: "dmp_habilitations"}
# Answers that are not called after their requests. ITI TF-2: 3.61.5
ANSWERED_OTHERWISE = {
    "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry": "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
    **{f"{V3}:{name}": ACKNOWLEDGEMENT for name in FEED},
    **{f"{V3}:{name}": answer for name, (_, answer) in RECORD_REQUESTS.items()},
}


class Served(BaseHTTPRequestHandler):
    """`GET /xds/<service>?wsdl` and `?xsd=<file>`, 404 for the rest."""

    def do_GET(self) -> None:
        status, body = self.answer()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self) -> tuple[int, bytes]:
        url = urlsplit(self.path)
        address = f"http://{self.headers['Host']}{url.path}"
        query = parse_qs(url.query, keep_blank_values=True)
        try:
            if "xsd" in query:
                return 200, xsd(query["xsd"][0], address=address)
            return 200, wsdl(url.path.rpartition("/")[2], address=address)
        except FileNotFoundError as missing:
            return 404, str(missing).encode()

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet: pytest shows what fails."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Served) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/xds"
        listening.shutdown()


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest, server: str) -> tuple[str, zeep.Client]:
    client = zeep.Client(f"{server}/{request.param}?wsdl")
    client.transport.session.close()
    return request.param, client


def bound_operations(client: zeep.Client) -> dict[str, object]:
    [binding] = client.wsdl.bindings.values()
    return dict(binding.all())


def test_client_finds_the_operations_and_their_messages(service: tuple[str, zeep.Client]) -> None:
    name, client = service
    found = {
        operation: (bound.soapaction, bound.input.body.qname, bound.output.body.qname)
        for operation, bound in bound_operations(client).items()
    }
    assert found == {
        operation: (action, request, answer)
        for (owner, operation), (action, request, answer) in OPERATIONS.items()
        if owner == name
    }


def test_client_calls_the_address_it_was_given(service: tuple[str, zeep.Client], server: str) -> None:
    name, client = service
    [port] = [port for service in client.wsdl.services.values() for port in service.ports.values()]
    assert port.binding_options["address"] == f"{server}/{name}"


def test_client_reads_the_actions_of_both_addressing_vocabularies() -> None:
    for (name, operation), (action, _, _) in OPERATIONS.items():
        root = etree.fromstring(wsdl(name, address=ADDRESS))
        [found] = root.xpath(f"//wsdl:portType/wsdl:operation[@name='{operation}']", namespaces=NAMESPACES)
        for vocabulary in ("wsam", "wsaw"):
            actions = found.xpath(f"*/@{vocabulary}:Action", namespaces=NAMESPACES)
            assert actions == [action, ANSWERED_OTHERWISE.get(action, f"{action}Response")]


@pytest.mark.parametrize("name", SERVICES)
def test_description_can_be_read_from_the_folder(name: str) -> None:
    client = zeep.Client(str(resource(f"wsdl/{name}.wsdl")))
    assert set(bound_operations(client)) == {operation for owner, operation in OPERATIONS if owner == name}


@pytest.fixture
def registry(server: str) -> Iterator[zeep.Client]:
    """No addressing plugin: the client adds the headers itself where the description gives an action."""
    client = zeep.Client(f"{server}/registry?wsdl")
    yield client
    client.transport.session.close()


def stored_query(client: zeep.Client) -> etree._Element:
    return client.create_message(
        client.service,
        "DocumentRegistry_RegistryStoredQuery",
        ResponseOption={"returnType": "ObjectRef", "returnComposedObjects": True},
        AdhocQuery={
            "id": "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
            "Slot": [{"name": "$XDSDocumentEntryPatientId", "ValueList": {"Value": ["'p1^^^&2.999.4&ISO'"]}}],
        },
    )


def test_client_addresses_a_stored_query_by_its_action(registry: zeep.Client, server: str) -> None:
    [header] = stored_query(registry).xpath("/soap:Envelope/soap:Header", namespaces=NAMESPACES)
    assert header.xpath("wsa:Action/text()", namespaces=NAMESPACES) == ["urn:ihe:iti:2007:RegistryStoredQuery"]
    assert header.xpath("wsa:To/text()", namespaces=NAMESPACES) == [f"{server}/registry"]
    assert len(header.xpath("wsa:MessageID", namespaces=NAMESPACES)) == 1


def a_registration() -> dict[str, object]:
    """An interaction of the patient identity feed, for any of its names."""
    device = {"typeCode": "RCV", "device": {"id": [{"root": "2.999.8"}]}}
    patient = {"classCode": "PAT", "id": [{"root": "2.999.4", "extension": "p1"}]}
    event = {"statusCode": {"code": "active"}, "subject1": {"patient": patient}}
    return {
        "ITSVersion": "XML_1.0",
        "id": {"root": "2.999.9", "extension": "1"},
        "creationTime": {"value": "20260310"},
        "interactionId": {"root": "2.16.840.1.113883.1.6", "extension": "PRPA_IN201301UV02"},
        "processingCode": {"code": "P"},
        "processingModeCode": {"code": "T"},
        "acceptAckCode": {"code": "AL"},
        "receiver": [device],
        "sender": device,
        "controlActProcess": {"subject": [{"registrationEvent": event}]},
    }


def test_client_writes_every_request_with_its_action(service: tuple[str, zeep.Client]) -> None:
    name, client = service
    entries = {"RegistryObjectList": {}}
    documents = {"SubmitObjectsRequest": entries, "Document": [{"_value_1": b"Bonjour", "id": "entry-1"}]}
    identifiers = {"RepositoryUniqueId": "2.999.6", "DocumentUniqueId": "2.999.7"}
    bodies: dict[str, dict[str, object]] = {
        "RegistryStoredQuery": {"ResponseOption": {}, "AdhocQuery": {"id": "urn:uuid:q"}},
        "MultiPatientStoredQuery": {"ResponseOption": {}, "AdhocQuery": {"id": "urn:uuid:q"}},
        **dict.fromkeys(
            (
                "RegisterDocumentSet-b",
                "UpdateDocumentSet",
                "RegisterOnDemandDocumentEntry",
                "RestrictedUpdateDocumentSet",
            ),
            entries,
        ),
        "DeleteDocumentSet": {"ObjectRefList": {"ObjectRef": [{"id": "urn:uuid:o"}]}},
        "ProvideAndRegisterDocumentSet-b": documents,
        "RetrieveDocumentSet": {"DocumentRequest": [identifiers]},
        "RemoveDocuments": {"DocumentRequest": [identifiers, identifiers]},
    }
    bodies |= dict.fromkeys(FEED, a_registration())
    bodies |= dict.fromkeys(RECORD_REQUESTS, a_registration() | {"controlActProcess": {}})
    bodies |= {
        "patientList": {"dateType": "LASTDOC"},
        "createPatientAccess": {"type": "SMS", "canal": "0600000000"},
        "patientOTPUpdate": {"type": "SMS", "action": "SUPPRESSION"},
        "updatePatientAccess": {},
        "setAuthorization": {"action": "AJOUT", "role": "MEDECIN_TRAITANT"},
        "listAuthorizationByPatient": {"mode": "TOUTE"},
    }
    for (owner, operation), (action, request, _) in OPERATIONS.items():
        if owner == name:
            envelope = client.create_message(client.service, operation, **bodies[action.rpartition(":")[2]])
            assert envelope.xpath("//wsa:Action/text()", namespaces=NAMESPACES) == [action]
            [[body]] = envelope.xpath("/soap:Envelope/soap:Body", namespaces=NAMESPACES)
            assert body.tag == request
            schema = SCHEMA_OF.get(etree.QName(request).namespace, "messages")
            messages = etree.XMLSchema(etree.parse(resource(f"xsd/{schema}.xsd")))
            messages.assertValid(etree.fromstring(etree.tostring(body)))


def test_client_writes_a_stored_query_that_is_valid(registry: zeep.Client) -> None:
    [body] = stored_query(registry).xpath("/soap:Envelope/soap:Body/query:AdhocQueryRequest", namespaces=NAMESPACES)
    etree.XMLSchema(etree.parse(resource("xsd/messages.xsd"))).assertValid(etree.fromstring(etree.tostring(body)))


def test_schemas_as_served_compile_to_the_message_schema(server: str) -> None:
    served = xmlschema.XMLSchema10(f"{server}/registry?xsd=messages.xsd", allow="all")
    on_disk = xmlschema.XMLSchema10(resource("xsd/messages.xsd"))
    assert set(served.maps.elements) == set(on_disk.maps.elements)


@pytest.mark.parametrize("name", SERVICES)
def test_description_refers_to_schemas_at_its_own_address(name: str) -> None:
    root = etree.fromstring(wsdl(name, address=ADDRESS))
    locations = root.xpath("//xs:import/@schemaLocation", namespaces=NAMESPACES)
    assert locations
    assert all(location.startswith(f"{ADDRESS}?xsd=") for location in locations)
    assert root.xpath("//soap12:address/@location", namespaces=NAMESPACES) == [ADDRESS]


def test_schema_refers_to_schemas_at_its_own_address() -> None:
    root = etree.fromstring(xsd("query.xsd", address=ADDRESS))
    references = root.xpath("//xs:import | //xs:include", namespaces=NAMESPACES)
    assert [reference.get("schemaLocation") for reference in references] == [
        f"{ADDRESS}?xsd={name}" for name in ("filter_query.xsd", "rim.xsd", "rs.xsd")
    ]


def test_address_is_escaped_where_it_is_written() -> None:
    address = 'https://registry.example.org/a"b<c&d'
    root = etree.fromstring(wsdl("registry", address=address))
    assert root.xpath("//soap12:address/@location", namespaces=NAMESPACES) == [address]


@pytest.mark.parametrize("name", ["", "none", "Registry", "../wsdl/registry", "registry.wsdl", "../xsd/rim"])
def test_unknown_service_is_not_found(name: str) -> None:
    with pytest.raises(FileNotFoundError):
        wsdl(name, address=ADDRESS)


@pytest.mark.parametrize("name", ["", "none.xsd", "../wsdl/registry.wsdl", "../__init__.py", "/etc/passwd", "RIM.XSD"])
def test_unknown_schema_is_not_found(name: str) -> None:
    with pytest.raises(FileNotFoundError):
        xsd(name, address=ADDRESS)
