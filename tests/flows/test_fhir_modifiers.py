"""Modifiers and prefixes of search parameters over real HTTP. FHIR R4 3.1.1.4.6, 3.1.1.5.5."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from fhir_facade.search import TABLES
from tests import fhir_bundles as fhir
from tests.flows.test_fhir_sorting import Shelf, server, submitted  # noqa: F401 - a fixture
from tests.flows.test_provide_document_bundle import fed, provide
from tests.servers import Server


class Authors(Shelf):
    """Three documents of one day each, by authors with similar names; the second has another type."""

    def __init__(self, server: Server) -> None:  # noqa: F811
        super().__init__(server)
        names = (("Petit", "Paul"), ("Lepetit", "Jean-Paul"), ("Petitjean", "PAUL"))
        types = ("11488-4", "11502-2", "11488-4")
        self.by = [
            submitted(server, self.patient, f"2{number}", **self._changes(name, code))
            for number, (name, code) in enumerate(zip(names, types, strict=True))
        ]

    def _changes(self, name: tuple[str, str], code: str) -> dict[str, Any]:
        contained = fhir.a_document_reference(self.patient, fhir.a_urn())["contained"]
        contained[1]["name"] = [{"family": name[0], "given": [name[1]]}]
        return {"contained": contained, "type": fhir.a_concept(code)}

    def places(self, *parameters: tuple[str, str]) -> list[int]:
        """Which of the three are found."""
        found = self.found(("creation", "ge2026-03-20"), *parameters)
        return [place for place, one in enumerate(self.by) if one in found]


@pytest.fixture(scope="module")
def authors(server: Server) -> Authors:  # noqa: F811
    return Authors(server)


@pytest.mark.parametrize(
    ("name", "value", "places"),
    [
        ("author.family", "petit", [0, 2]),
        ("author.family:exact", "Petit", [0]),
        ("author.family:exact", "petit", []),
        ("author.family:contains", "PETIT", [0, 1, 2]),
        ("author.family:contains", "jean", [2]),
        ("author.family:contains", "%", []),
        ("author.given:exact", "Paul", [0]),
        ("author.given:exact", "Paul,PAUL", [0, 2]),
        ("author.given:contains", "paul", [0, 1, 2]),
        ("type:not", "http://loinc.org|11488-4", [1]),
        ("type:not", "11488-4,11502-2", []),
        ("type:not", "1-1", [0, 1, 2]),
        ("status:not", "superseded", [0, 1, 2]),
        ("status:not", "current", []),
        ("creation", "ne2026-03-21", [0, 2]),
        ("date", "sa2026-03-21", [2]),
        ("date", "eb2026-03-21", [0]),
        ("period", "sa2026-03-21", [2]),
        ("period", "eb2026-03-21", [0]),
        ("period", "sa2026-03-21T09:10:00Z", [2]),
        ("period", "2026-03-21", [1]),
        ("period", "eq2026-03", [0, 1, 2]),
        ("period", "2026-03-21T09:10:00Z", []),
        ("period", "ne2026-03-21", [0, 2]),
        ("period", "ap2026-03", [0, 1, 2]),
        ("creation", "ap2026-03-21", [0, 1, 2]),
        ("creation", "ap1926", []),
        ("type:missing", "true", []),
        ("type:missing", "false", [0, 1, 2]),
        ("author.family:missing", "true", []),
        ("author.identifier:missing", "false", [0, 1, 2]),
        ("related.identifier:missing", "true", [0, 1, 2]),
        ("related:identifier:missing", "false", []),
        ("status:missing", "true", []),
        ("patient:missing", "false", [0, 1, 2]),
        ("author:Practitioner.family:exact", "Petit", [0]),
        ("author:PractitionerRole.practitioner.given:exact", "Paul", [0]),
        ("author.name", "jean", [1]),
        ("author:PractitionerRole.name", "petitj", [2]),
        ("author:identifier", "urn:oid:1.2.250.1.71.4.2.1|899700218896", [0, 1, 2]),
    ],
)
def test_a_modifier_or_prefix_finds_what_it_means(authors: Authors, name: str, value: str, places: list[int]) -> None:
    assert authors.places((name, value)) == places


def test_what_has_no_code_is_found_by_not(server: Server) -> None:  # noqa: F811
    shelf = Shelf(server)
    context = fhir.a_document_reference(shelf.patient, fhir.a_urn())["context"]
    del context["event"]
    without = submitted(server, shelf.patient, "20", context=context)
    assert shelf.found(("event:not", "PATDOC")) == [without]


def test_what_lacks_a_period_or_an_event_is_found_by_missing(server: Server) -> None:  # noqa: F811
    shelf = Shelf(server)
    context = fhir.a_document_reference(shelf.patient, fhir.a_urn())["context"]
    without_event = submitted(
        server, shelf.patient, "20", context={name: one for name, one in context.items() if name != "event"}
    )
    assert shelf.found(("event:missing", "true")) == [without_event]
    assert without_event not in shelf.found(("event:missing", "false"))
    del context["period"]
    bundle = fhir.a_provide_bundle(shelf.patient, context=context)
    without_period = provide(server, bundle)[0]["location"].rpartition("/")[2]
    assert without_period in shelf.found(("period:missing", "true"))
    assert without_period not in shelf.found(("period:missing", "false"))
    assert without_period in shelf.found(("period", "ne2026"))
    assert without_period not in shelf.found(("period", "eq2026"))


def test_a_patient_may_be_named_in_every_way_that_clients_have(authors: Authors) -> None:
    patient = json.loads(authors.get(authors.patient).body)
    token, key = "{system}|{value}".format(**patient["identifier"][0]), patient["id"]
    for name, value in (
        *(("patient", key), ("patient:Patient", key), ("subject:Patient", key), ("subject", authors.patient)),
        *((f"{one}.identifier", token) for one in ("patient", "subject", "patient:Patient", "subject:Patient")),
        *((f"{one}:identifier", token) for one in ("patient", "subject")),
    ):
        found = authors.get(f"/fhir/DocumentReference?{urlencode([(name, value), ('_total', 'accurate')])}")
        assert (found.status, json.loads(found.body)["total"]) == (200, 8), name


def test_lists_take_them_too(authors: Authors) -> None:
    def total(*parameters: tuple[str, str]) -> int:
        found: int = authors.bundle(("code", "submissionset"), *parameters, kind="List")["total"]
        return found

    assert total() == 8
    assert total(("date", "eq2026-03-10")) == 8
    assert total(("date", "ne2026-03-10")) == 0
    assert total(("date", "sa2026-03-09")) == 8
    assert total(("date", "eb2026-03-10")) == 0
    assert total(("designationType:not", "225728007")) == 0
    assert total(("designationType:not", "1")) == 8
    assert total(("status:not", "retired")) == 8
    assert total(("status:not", "current")) == 0
    assert total(("source.family:contains", "x")) == 0
    assert total(("source.name:missing", "true")) == 8
    assert total(("source.partOf.practitioner.family:missing", "false")) == 0
    assert total(("designationType:missing", "false")) == 8
    assert total(("date", "ap2026-03-10")) == 8


@pytest.mark.parametrize(
    "query",
    [
        *(
            "type:missing=1",
            "relatesto:missing=true",
            "author:Practitioner.birthdate=2000",
            "patient.name=x",
            "subject:Group=1",
            "author=1",
            "related=1",
            "related:missing=true",
            "_sort:desc=date",
            "type:text=x",
            "type:in=x",
            "author.family:not=x",
            "author.family:=x",
            "date:exact=2026",
        ),
        *("patient:exact=x", "identifier:not=x", "_id:not=x", "related:exact=x"),
        *("identifier=urn:ietf:rfc:3986|", "related:identifier=urn:oid:2.25.1|", "author.identifier=urn:oid:2.25.1|"),
    ],
)
def test_what_is_not_served_is_refused(authors: Authors, query: str) -> None:
    refused = authors.get(f"/fhir/DocumentReference?{urlencode([('patient', authors.patient)])}&{query}")
    assert refused.status == 400, query


@pytest.mark.parametrize("resource", TABLES)
def test_a_modifier_is_named_where_the_parameter_is_described(resource: str) -> None:
    for one in TABLES[resource].values():
        named = [word[1:] for word in one.documentation.split() if word.startswith(":")]
        assert named == [name for name, _ in one.modifiers], one.name


@pytest.mark.parametrize(
    ("name", "value", "total"),
    [
        ("title", "a sub", 1),
        ("title", "submission", 0),
        ("title:contains", "SUBM", 1),
        ("title:contains", "%", 0),
        ("title:exact", "A submission", 1),
        ("title:exact", "a submission", 0),
        ("title", "x,A", 1),
        ("title:missing", "true", 0),
        ("title:missing", "false", 1),
    ],
)
def test_lists_are_found_by_their_title(server: Server, name: str, value: str, total: int) -> None:  # noqa: F811
    patient = fed(server, fhir.a_patient())
    provide(server, fhir.a_provide_bundle(patient))
    asked = urlencode({"patient": patient, "code": "submissionset", name: value})
    assert json.loads(server.request("GET", f"/fhir/List?{asked}").body)["total"] == total


@pytest.mark.parametrize(
    ("name", "value", "total"),
    [
        ("related", "ServiceRequest/1", 1),
        ("related", "https://other.example/fhir/ServiceRequest/2", 1),
        ("related", "ServiceRequest/2", 0),
        ("related", "ServiceRequest/'", 0),
        ("related", "{base}/ServiceRequest/1", 1),
        ("related", "{base}/ServiceRequest/3", 1),
        ("related", "ServiceRequest/3,Encounter/9", 1),
        ("author", "https://other.example/fhir/Practitioner/1", 1),
        ("author", "Practitioner/1", 0),
        ("author", "ServiceRequest/1", 0),
    ],
)
def test_documents_are_found_by_references_that_fhir_submitted(
    server: Server,  # noqa: F811
    name: str,
    value: str,
    total: int,
) -> None:
    patient, base = fed(server, fhir.a_patient()), f"{server.url}/fhir"
    places = ("ServiceRequest/1", "https://other.example/fhir/ServiceRequest/2", f"{base}/ServiceRequest/3")
    bundle = fhir.a_provide_bundle(patient, level="UnContained.Comprehensive")
    bundle["entry"][0]["resource"]["context"]["related"] = [{"reference": one} for one in places]
    bundle["entry"][0]["resource"]["author"] = [{"reference": "https://other.example/fhir/Practitioner/1"}]
    provide(server, bundle)
    provide(server, fhir.a_provide_bundle(patient))
    asked = urlencode({"patient": patient, name: value.format(base=base)})
    response = server.request("GET", f"/fhir/DocumentReference?{asked}")
    assert json.loads(response.body)["total"] == total, response.body
