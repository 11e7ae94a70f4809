"""Writes docs/generated/faulty-clients.md: `python -m tests.conformance.faulty_clients_page`."""

from conformance.client.scenarios import steps_of
from conformance.requirements import Actor, requirements_of
from tests.conformance.faults_of_documents import METADATA_FAULTS, ORDER_FAULTS
from tests.conformance.faults_of_fhir import FHIR_FAULTS
from tests.conformance.faults_of_messages import MESSAGE_FAULTS
from tests.conformance.faulty_clients import Fault
from tests.servers import ROOT

PAGE = ROOT / "docs" / "generated" / "faulty-clients.md"
FAULTS: tuple[Fault, ...] = (*MESSAGE_FAULTS, *METADATA_FAULTS, *ORDER_FAULTS, *FHIR_FAULTS)


def page() -> str:
    """One row for each requirement on clients: which faulty client fails it, and no other, in which step."""
    faults = {one.requirement: (one.what, one.step) for one in FAULTS}
    asked = {
        one.question.requirement: (f"a person answers no: {one.question.text.en}", one.key)
        for one in steps_of(["all"])
        if one.question
    }
    rows = [(one, *(asked | faults)[one.id]) for one in requirements_of(Actor.CLIENT)]
    lines = [f"| {one.id} | {one.level.value} | {one.text_en} | {what} | `{step}` |" for one, what, step in rows]
    head = "| requirement | level | what must hold | the client that fails it, and no other | step |\n|---|---|---|---|---|\n"
    note = (
        "Written by `make docs`; do not edit. Each row is a test of `tests/conformance/test_client_certification.py`.\n"
    )
    return f"# Faulty clients\n\n{note}\n{head}" + "\n".join(line.replace("^", "\\^") for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
