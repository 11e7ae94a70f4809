"""Writes docs/generated/faulty-servers.md: `python -m tests.conformance.faulty_servers_page`."""

from conformance.requirements import requirement
from tests.conformance.faults_of_kit_servers import KIT_FAULTS
from tests.conformance.faults_of_servers import FAULTS
from tests.servers import ROOT

PAGE = ROOT / "docs" / "generated" / "faulty-servers.md"


def page() -> str:
    """One row for each requirement on servers: which server fails it, and no other."""
    rows = [(requirement(one.requirement), one) for one in (*FAULTS, *KIT_FAULTS)]
    lines = [
        f"| {one.id} | {one.level.value} | {one.text_en} | {fault.what} | "
        f"`{' '.join(fault.tests) or one.looked_at}` |".replace("^", "\\^")
        for one, fault in rows
    ]
    head = "| requirement | level | what must hold | the server that fails it, and no other | shown by |\n|---|---|---|---|---|\n"
    note = "Written by `make docs`; do not edit. Each row is a test of `tests/conformance/test_faulty_servers.py`.\n"
    return f"# Faulty servers\n\n{note}\n{head}" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
