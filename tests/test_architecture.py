"""The shape of the project: contracts, sizes, names, docstrings, generated pages, what is packaged."""

import ast
import configparser
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "xds",
    "soap",
    "schemas",
    "access_policy",
    "audit",
    "storage",
    "cda",
    "hl7v3",
    "dmp",
    "jobs",
    "subscriptions",
    "registry",
    "repository",
    "portable_media",
    "fhir_facade",
    "carnet",
    "conformance",
)
MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "__pycache__" not in path.parts
)
FORBIDDEN_NAMES = {
    *("utils", "helpers", "common", "misc", "manager", "service", "impl", "base", "processor", "data", "info"),
    "constants",
}
LONGEST_MODULE, LONGEST_FUNCTION = 500, 50


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def modules() -> Mapping[str, ast.Module]:
    """Every module by its path: some hundred files, read and parsed once, judged by few tests."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def test_modules_fit_a_sitting_and_functions_a_glance(modules: Mapping[str, ast.Module]) -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in MODULES}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE}
    assert not [f"{name}: {node.name}" for name, tree in modules.items() for node in _long_functions(tree)]


def _long_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _lines(node) > LONGEST_FUNCTION and not _is_only_definitions(node):
            yield node


def _lines(node: ast.FunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def _is_only_definitions(node: ast.FunctionDef) -> bool:
    """A blueprint or migration: a list of definitions or calls, read one by one."""
    return all(isinstance(one, ast.FunctionDef | ast.Expr | ast.Assign | ast.Return | ast.If) for one in node.body)


def test_modules_say_what_they_are(modules: Mapping[str, ast.Module]) -> None:
    assert not [name for name, tree in modules.items() if not ast.get_docstring(tree)]
    classes = [(name, one) for name, tree in modules.items() for one in tree.body if isinstance(one, ast.ClassDef)]
    silent = [f"{name}: {one.name}" for name, one in classes if not ast.get_docstring(one) and len(one.body) >= 3]
    assert not [one for one in silent if not one.partition(": ")[2].startswith("_")]


def test_names_of_files_and_classes_say_something(modules: Mapping[str, ast.Module]) -> None:
    assert not [path for path in MODULES if path.stem in FORBIDDEN_NAMES]
    classes = [
        f"{name}: {node.name}"
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    assert not [one for one in classes if re.findall(r"[A-Z][a-z0-9]*", one)[-1].lower() in FORBIDDEN_NAMES]


def test_every_package_is_packaged() -> None:
    configuration = configparser.RawConfigParser()
    configuration.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(configuration["options"]["packages"].split())
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert listed == found


def test_generated_pages_are_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, page in generate.PAGES.items():
        assert (ROOT / "docs" / "generated" / name).read_text(encoding="utf-8") == page(), f"run make docs: {name}"


def test_links_of_the_documentation_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
