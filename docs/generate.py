"""Writes docs/generated/ from the tables of the code: `python docs/generate.py`. A test fails when a page is stale."""

import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from access_policy.matrix import Column, Matrix
from access_policy.refusals import Reason
from access_policy.scopes import NEEDS
from access_policy.tables import published
from access_policy.token_claims import TOKEN_CLAIMS
from access_policy.vihf_attributes import ATTRIBUTES, VERSIONS
from carnet.settings import Settings
from fhir_facade.exact_values_definition import exact_values_definition
from fhir_facade.list_search_parameters import LIST_SEARCH_PARAMETERS
from fhir_facade.operation_outcome import XDS_ERRORS
from fhir_facade.profile_rules import DOCUMENT_REFERENCE, Level
from fhir_facade.profile_rules import FOLDER as MHD_FOLDER
from fhir_facade.profile_rules import SUBMISSION_SET as MHD_SUBMISSION_SET
from fhir_facade.search_parameters import SEARCH_PARAMETERS
from fhir_facade.xds_issues import ELEMENTS, LIST_ELEMENTS
from storage import distribution
from xds import association_update_rules, metadata_update, metadata_update_rules, removal_rules, restricted_update_rules
from xds.ebrim.attributes import ASSOCIATION, DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET
from xds.errors import ErrorCode
from xds.stored_queries import MULTI_PATIENT_STORED_QUERIES, REGISTRY_STORED_QUERIES
from xds.submission_rules import association_ends, objects, references, state

FOLDER_OF_PAGES = Path(__file__).parent / "generated"
RULES = {
    "Submission (ITI-41, 42, 61)": (objects, references, state, association_ends),
    "Operations of an update (ITI-57)": (metadata_update,),
    "Update against what is stored (ITI-57)": (metadata_update_rules, association_update_rules),
    "Restricted update (ITI-92)": (restricted_update_rules,),
    "Removal (ITI-62)": (removal_rules,),
}
_NOTE = "Written by `docs/generate.py`; do not edit.\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def attributes() -> str:
    """The attribute table: carrier, type, and the demand of each submitting transaction."""
    text = f"# Metadata attributes\n\n{_NOTE}\nR required, R2 if known, O optional, X forbidden, - ignored.\n"
    for table in (DOCUMENT_ENTRY, SUBMISSION_SET, FOLDER, ASSOCIATION):
        rows = (
            (
                row.name,
                row.carrier.value,
                f"`{row.wire}`",
                row.datatype.name,
                "many" if row.many else "one",
                row.provide,
                row.register,
                row.on_demand,
                row.limited,
            )
            for row in table.attributes
        )
        demands = ("ITI-41", "ITI-42", "ITI-61", "XDR limited")
        head = ("attribute", "carrier", "name on the wire", "type", "values", *demands)
        text += f"\n## {table.name}\n\n{_table(head, rows)}"
    return text


def errors() -> str:
    """Every error code with what it becomes over FHIR."""
    rows = ((f"`{code}`", *XDS_ERRORS.get(code, ("-", "-"))) for code in sorted(ErrorCode, key=str))
    return f"# Error codes\n\n{_NOTE}\n{_table(('errorCode', 'HTTP of FHIR', 'issue.code'), rows)}"


def stored_queries() -> str:
    """Every stored query with its parameters."""
    text = f"# Stored queries\n\n{_NOTE}"
    for query in (*REGISTRY_STORED_QUERIES.values(), *MULTI_PATIENT_STORED_QUERIES.values()):
        rows = (
            (
                f"`{parameter.name}`",
                parameter.type.value,
                "required" if parameter.required else "one of these" if parameter.alternative else "",
                "list" if parameter.many else "one value",
                "AND" if parameter.and_or else "",
            )
            for parameter in query.parameters
        )
        head = ("parameter", "type", "demand", "values", "repeated Slot")
        transaction = "ITI-18" if query.id in REGISTRY_STORED_QUERIES else "ITI-51"
        text += f"\n## {query.name}\n\n{transaction}, `{query.id}`\n\n{_table(head, rows)}"
        if query.at_least_one:
            text += f"\nAt least one of {', '.join(f'`{name}`' for name in query.at_least_one)}.\n"
    return text


def search_parameters() -> str:
    """Search parameters of each resource that is searched."""
    text = f"# Search parameters\n\n{_NOTE}"
    for name, parameters in (("DocumentReference", SEARCH_PARAMETERS), ("List", LIST_SEARCH_PARAMETERS)):
        rows = ((f"`{one.name}`", one.type, one.documentation) for one in parameters if not one.hidden)
        text += f"\n## {name}\n\n{_table(('name', 'type', 'searches'), rows)}"
    return text


def fhir_mapping() -> str:
    """Where attributes of XDS stand in FHIR, and what each level of MHD asks for."""
    text = f"# XDS in FHIR\n\n{_NOTE}\nBoth directions; an error of XDS about an attribute names its element.\n"
    for name, elements in (("DocumentReference", ELEMENTS), ("List", LIST_ELEMENTS)):
        text += f"\n## {name}\n\n{_table(('attribute', 'element'), sorted(elements.items()))}"
    for name, rows in (
        ("DocumentReference", DOCUMENT_REFERENCE),
        ("SubmissionSet", MHD_SUBMISSION_SET),
        ("Folder", MHD_FOLDER),
    ):
        levels = [level.name.capitalize() for level in Level]
        cards = ((f"`{row.path}`", *row.cards) for row in rows)
        text += f"\n## Profile of {name}\n\n`c`: contained.\n\n{_table(('element', *levels), cards)}"
    return text


def exact_values() -> str:
    """Our own extension, for validators."""
    return json.dumps(json.loads(exact_values_definition()), indent=1) + "\n"


def rules() -> str:
    """Rules of everything that changes metadata, as their functions say."""
    text = f"# Rules\n\n{_NOTE}"
    for title, modules in RULES.items():
        found = [
            (f"`{name.strip('_')}`", (inspect.getdoc(function) or "").splitlines()[0])
            for module in modules
            for name, function in vars(module).items()
            if inspect.isgeneratorfunction(function) and function.__module__ == module.__name__ and function.__doc__
        ]
        text += f"\n## {title}\n\n{_table(('function', 'rules'), found)}"
    return text


def settings() -> str:
    """Settings of the server."""
    rows = (
        (
            f"`--{one.name.replace('_', '-')}`",
            f"`{one.name}`",
            f"`CARNET_{one.name.upper()}`",
            f"`{one.default}`" if one.default != "" else "",
            one.metadata["meaning"] + (f" ({', '.join(one.metadata['choices'])})" if one.metadata["choices"] else ""),
        )
        for one in fields(Settings)
    )
    return f"# Settings\n\n{_NOTE}\n{_table(('option', 'file', 'environment', 'default', 'meaning'), rows)}"


def vihf() -> str:
    """The attributes of a VIHF."""
    rows = (
        (f"`{row.name}`", row.demand.value, "many" if row.many else "one", row.english, row.french)
        for row in ATTRIBUTES
    )
    head = ("attribute", "demand", "values", "meaning", "sens")
    return f"# Attributes of the VIHF, versions {', '.join(VERSIONS)}\n\n{_NOTE}\n{_table(head, rows)}"


def tokens() -> str:
    """What is read of a token, and what its scopes open."""
    rows = ((f"`{row.attribute.rpartition(':')[2]}`", f"`{row.name}`") for row in TOKEN_CLAIMS)
    text = f"# Claims and scopes of tokens\n\n{_NOTE}\n"
    text += f"Of several claims the first that is there counts.\n\n{_table(('attribute', 'claim'), rows)}\n"
    needs = ((name, " ".join(need.iua) or "-", " ".join(need.smart)) for name, need in sorted(NEEDS.items()))
    return text + _table(("transaction", "scope of IUA, or", "every letter of SMART"), needs)


def refusals() -> str:
    """Why a caller or a signature is refused, and what the sender is told of it."""
    rows = ((one.name, f"`wsse:{one.subcode}`", one.english, one.french) for one in Reason)
    head = ("check", "answer", "reason", "motif")
    return f"# Refusals of callers and signatures\n\n{_NOTE}\n{_table(head, rows)}"


def policy() -> str:
    """The tables that decide who sees what."""
    matrix, rights = published().matrix, published().rights
    text = f"# Matrix and rights of the DMP\n\n{_NOTE}\n## Who reads which type of document\n\n"
    text += f"Version {matrix.version}. {matrix.source}. The columns in their order:\n\n"
    text += "".join(f"{number}. `{one.id}`: {one.french}\n" for number, one in enumerate(matrix.columns, start=1))
    head = ("class", "type", "label", *(str(number) for number in range(1, len(matrix.columns) + 1)))
    rows = (
        (one.class_code, f"`{one.code}`", one.display, *(_mark(matrix, column, one.key) for column in matrix.columns))
        for one in matrix.types
    )
    text += f"\n{_table(head, rows)}\n## Who may do what\n\nVersion {rights.version}. {rights.source}.\n\n"
    cells = ((f"`{key[0]}`", *key[1:], grade) for key, grade in rights.cells.items())
    return text + _table(("action", "authentication", "actor", "mode", "documents", "decision"), cells)


def _mark(matrix: Matrix, column: Column, key: str) -> str:
    return "x" if matrix.permits(column.id, key, is_imaging=key not in matrix.listed) else ""


PAGES: dict[str, Callable[[], str]] = {
    "citus.sql": distribution.script,
    "attributes.md": attributes,
    "errors.md": errors,
    "refusals.md": refusals,
    "rules.md": rules,
    "fhir-mapping.md": fhir_mapping,
    "search-parameters.md": search_parameters,
    "settings.md": settings,
    "stored-queries.md": stored_queries,
    "tokens.md": tokens,
    "vihf.md": vihf,
    "policy.md": policy,
    "StructureDefinition-xds-attributes.json": exact_values,
}


def main() -> None:
    FOLDER_OF_PAGES.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER_OF_PAGES / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
