"""Writes schemas/fhir/structures.csv from the package of FHIR R4: `python docs/extract_fhir_structures.py PACKAGE.tgz`.

One row per element: path, min, max, types, and the codes of a required binding that are listed in R4 itself.
"""

import csv
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "schemas" / "fhir" / "structures.csv"
_KINDS = ("resource", "complex-type")
_PRIMITIVE = "http://hl7.org/fhirpath/System.String"
_MOST_CODES = 130  # larger sets, such as MIME types and resource types, are no closed lists of words


def resources(package: str) -> dict[str, dict[str, Any]]:
    """Every conformance resource of the package, by canonical URL."""
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if member.name.endswith(".json") and not member.name.endswith(".index.json"):
                stream = archive.extractfile(member)
                resource = json.load(stream) if stream is not None else {}
                if resource.get("url"):
                    found.setdefault(resource["url"], resource)
    return found


def rows(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """The elements of every resource and data type, in the order of the standard."""
    definitions = [
        one
        for one in found.values()
        if one.get("resourceType") == "StructureDefinition"
        and one["kind"] in _KINDS
        and one.get("derivation", "specialization") == "specialization"
        and not one.get("abstract")
    ]
    for definition in sorted(definitions, key=lambda one: str(one["name"])):
        for element in definition["snapshot"]["element"][1:]:
            yield (
                element["path"],
                str(element["min"]),
                element["max"],
                " ".join(dict.fromkeys(_types(element, of_resource=definition["kind"] == "resource"))),
                " ".join(_codes(element, found)),
            )


def _types(element: dict[str, Any], *, of_resource: bool) -> Iterator[str]:
    """The id of a resource is an id, that of any other element a string."""
    if "contentReference" in element:
        yield element["contentReference"]
    for one in element.get("type", ()):
        is_id = of_resource and element["path"].count(".") == 1 and element["path"].endswith(".id")
        yield str(one["code"]) if one["code"] != _PRIMITIVE else "id" if is_id else "string"


def _codes(element: dict[str, Any], found: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    binding = element.get("binding", {})
    if binding.get("strength") != "required" or [one["code"] for one in element["type"]] != ["code"]:
        return ()
    value_set = found.get(binding.get("valueSet", "").partition("|")[0])
    codes = tuple(_expanded(value_set, found)) if value_set is not None else ()
    return codes if len(codes) <= _MOST_CODES else ()


def _expanded(value_set: dict[str, Any], found: dict[str, dict[str, Any]]) -> Iterator[str]:
    compose = value_set.get("compose", {})
    excluded = {one["code"] for part in compose.get("exclude", ()) for one in part.get("concept", ())}
    for part in compose.get("include", ()):
        system = found.get(part.get("system", ""), {})
        if part.get("filter") or part.get("valueSet"):
            continue
        concepts = part.get("concept") or (system.get("concept") if system.get("content") == "complete" else None)
        yield from (code for code in _all(concepts or ()) if code not in excluded)


def _all(concepts: Iterable[dict[str, Any]]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _all(concept.get("concept", ()))


if __name__ == "__main__":
    with TABLE.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("path", "min", "max", "types", "codes"))
        writer.writerows(rows(resources(sys.argv[1])))
