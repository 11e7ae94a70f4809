"""The shape of the project: contracts, sizes, names, docstrings, generated pages, what is packaged."""

import ast
import configparser
import importlib.util
import re
import subprocess
import sys
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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_fit_a_sitting_and_functions_a_glance(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION or _is_only_definitions(node), node.name


def _is_only_definitions(node: ast.FunctionDef) -> bool:
    """A blueprint or migration: a list of definitions or calls, read one by one."""
    return all(isinstance(one, ast.FunctionDef | ast.Expr | ast.Assign | ast.Return | ast.If) for one in node.body)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_say_what_they_are(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node) or len(node.body) < 3, node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_files_and_classes_say_something(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            last_word = re.findall(r"[A-Z][a-z0-9]*", node.name)[-1].lower()
            assert last_word not in FORBIDDEN_NAMES, node.name


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
