"""Rules and value sets in a folder that the user names: the pack of the ANS as it is published. CI-SIS testContenuCDA.

Nothing outside the folder is read. Names are matched as they are written, then without regard to case and to
white space before the suffix: published packs were made on file systems that do not care.
"""

import posixpath
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path

from lxml import etree

from cda.findings import Layer
from cda.rule_packs import RuleSet, rule_set, shipped_value_sets
from cda.schematron import Schema, SchemaError, SchemaSource, ValueSets, compile_schema, load

_LAYERS: Mapping[Layer, str] = {
    Layer.HEADER: "profils/structurationMinimale/ASIP-STRUCT-MIN-StrucMin.sch",
    Layer.IHE: "profils/IHE.sch",
    Layer.FRENCH: "profils/CI-SIS_ModelesDeContenusCDA.sch",
    Layer.NATIONAL: "profils/CI-SIS_Modeles_ANS.sch",
}
_VALUE_SETS = "jeuxDeValeurs"
_CONCEPT = "{urn:ihe:iti:svs:2008}Concept"

Pairs = frozenset[tuple[str, str]]


class RuleFolder:
    """Files below one folder, by path with `/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _names(self) -> Mapping[str, Path]:
        """Every file by its path in lower case without white space before the suffix."""
        files = (each for each in self._folder.rglob("*") if each.is_file())
        return {_key(each.relative_to(self._folder).as_posix()): each for each in files}

    def read(self, path: str) -> bytes:
        """The bytes of a file. FileNotFoundError when there is none by this name."""
        found = self._names.get(_key(posixpath.normpath(path)))
        if found is None:
            raise FileNotFoundError(path)
        return found.read_bytes()

    def names(self, folder: str) -> Sequence[str]:
        """Paths of the XML files in a folder."""
        prefix = f"{folder.lower()}/"
        return [name for name in self._names if name.startswith(prefix) and name.endswith(".xml")]


def _key(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"{stem.rstrip()}{dot}{suffix}".lower()


class OfficialPack:
    """The published pack: schemas, and the documents and value sets their rules name."""

    def __init__(self, folder: Path) -> None:
        """SchemaError when the folder holds no such pack."""
        self._root, self._schematrons = _places(folder)
        self._files = RuleFolder(self._root)

    def rule_set(self) -> RuleSet:
        """Its layers in the place of ours. A model is loaded when a document needs it."""
        layers = {layer: self._schema(path) for layer, path in self.layer_paths.items()}

        @cache
        def model(name: str, version: str) -> Schema | None:
            path = self.model_path(name, version)
            return None if path is None else self._schema(path)

        return RuleSet(layers=layers, model=model)

    @property
    def layer_paths(self) -> Mapping[Layer, str]:
        """The schema of each layer, by its path in the pack."""
        return {layer: f"{self._schematrons}/{path}" for layer, path in _LAYERS.items()}

    def model_path(self, name: str, version: str) -> str | None:
        """The schema of a document model; None when the pack has none."""
        path = f"{self._schematrons}/CI-SIS_{name}_{version}.sch"
        try:
            self._files.read(path)
        except FileNotFoundError:
            return None
        return path

    def source(self, path: str) -> SchemaSource:
        """A schema of the pack with everything expanded. SchemaError when it cannot be loaded."""
        return load(path, self._files.read)

    def address(self, path: str) -> str:
        """The `file:` URI of a file of the pack, against which its rules name others."""
        return (self._root.resolve() / path).as_uri()

    def _schema(self, path: str) -> Schema:
        folder = posixpath.dirname(path)

        @cache
        def open_document(name: str) -> etree._Element | None:
            return _parsed(self._files, posixpath.join(folder, name))

        @cache
        def pairs(name: str) -> Pairs | None:
            root = open_document(name)
            return None if root is None else concepts(root)

        value_sets = ValueSets(
            has=lambda name: pairs(name) is not None,
            is_member=lambda name, code, system: (code, system or "") in (pairs(name) or ()),
        )
        return compile_schema(self.source(path), value_sets=value_sets, open_document=open_document)


def _places(folder: Path) -> tuple[Path, str]:
    """The folder everything is in and the name of the one with the schemas."""
    if (folder / "schematrons" / "profils").is_dir():
        return folder, "schematrons"
    if (folder / "profils").is_dir():
        return folder.resolve().parent, folder.resolve().name
    raise SchemaError(f"{folder}: there is no schematrons/profils in it; name the folder of a testContenuCDA pack")


def _parsed(files: RuleFolder, path: str) -> etree._Element | None:
    """The root of an XML file; None when it is missing, outside, or not XML."""
    if posixpath.normpath(path).startswith(".."):
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(files.read(path), parser)
    except (FileNotFoundError, etree.XMLSyntaxError):
        return None


def concepts(root: etree._Element) -> Pairs:
    """Codes with their systems of an IHE SVS value set."""
    return frozenset((each.get("code") or "", each.get("codeSystem") or "") for each in root.iter(_CONCEPT))


def own_rules_with(folder: Path) -> RuleSet:
    """Our packs with the value sets of a folder beside those that come with Carnet; SVS files named as in the pack."""
    root = folder / _VALUE_SETS if (folder / _VALUE_SETS).is_dir() else folder
    files, shipped = RuleFolder(root), shipped_value_sets()

    @cache
    def pairs(name: str) -> Pairs | None:
        found = _parsed(files, f"{name}.xml")
        return None if found is None else concepts(found)

    def is_member(name: str, code: str, system: str | None) -> bool:
        if shipped.has(name):
            return shipped.is_member(name, code, system)
        return (code, system or "") in (pairs(name) or ())

    return rule_set(ValueSets(has=lambda name: shipped.has(name) or pairs(name) is not None, is_member=is_member))
