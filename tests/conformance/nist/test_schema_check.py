"""The folder of schemas."""

from pathlib import Path

import pytest

from conformance.failures import KitError
from conformance.nist.schema_check import BESIDE_THIS_PACKAGE, open_schemas
from tests.conformance.kits import element


def test_the_schemas_beside_the_package_are_found_and_declare_every_message() -> None:
    assert BESIDE_THIS_PACKAGE.is_dir()
    assert len(open_schemas(None).namespaces) >= 5


def test_a_payload_of_another_namespace_is_not_checked() -> None:
    assert list(open_schemas(None).problems(element("<s:Fault/>"))) == []


def test_a_folder_without_schemas_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="--schemas DIR, or --skip-check schema"):
        open_schemas(tmp_path)


def test_a_schema_that_is_no_xml_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xsd").write_text("<xs:schema")
    with pytest.raises(KitError, match=r"a\.xsd"):
        open_schemas(tmp_path)
