"""Schemas, service descriptions and value sets: the files of the standard as data, and one look-up. ITI TF-3: 4.2.

`xsd/` restates OASIS ebXML RegRep 3.0 (rim, rs, lcm, query) and the messages of ITI TF-2: 3.18, 3.41,
3.42, 3.43 (xds_b); `xsd/messages.xsd` is all of them as one schema. `wsdl/` restates ITI TF-2x: V. `cda/`
restates CDA R2 with the extensions that French documents use; `schematron/` holds rules of French documents.
"""

from pathlib import Path


def resource(name: str) -> Path:
    """The file of this name, such as `xsd/messages.xsd`. FileNotFoundError, with the name, when there is none.

    Each step of the name is looked up in the listing of its folder, so no name leads outside this package.
    """
    found = Path(__file__).parent
    for step in name.split("/"):
        found = _child(found, step, name)
    if not found.is_file() or found.suffix in {".py", ".pyc"}:
        raise FileNotFoundError(f"no schema resource {name!r}")
    return found


def _child(folder: Path, step: str, name: str) -> Path:
    for child in folder.iterdir() if folder.is_dir() else ():
        if child.name == step:
            return child
    raise FileNotFoundError(f"no schema resource {name!r}")
