"""What a section did, as the XML tree that assertions, reports and later steps look into.

`TestResults/TestStep/<transaction element>` holds an echo of the instructions, the assigned ids, the message as sent
(`InputMetadata`), the answer (`Result`) and the reports.
"""

import posixpath
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from lxml import etree

from conformance.failures import StepFailed
from conformance.nist.kit import NAMELESS, Section
from conformance.nist.testplan import Step, UseId
from conformance.nist.xml import as_root
from conformance.sentence import Sentence

Assigned = Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class StepLog:
    """One step: `transaction` is the root of a tree of its own."""

    id: str
    transaction: etree._Element
    status: str = ""
    reports: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, content: etree._Element | str = "") -> None:
        made = etree.SubElement(self.transaction, name)
        if isinstance(content, str):
            made.text = content
        else:
            made.append(as_root(content))

    def add_assigned(self, name: str, assigned: Iterable[tuple[str, str]]) -> None:
        """`AssignedUids` and the like: one Assign for each symbol."""
        made = etree.SubElement(self.transaction, name)
        for symbol, value in assigned:
            etree.SubElement(made, "Assign", symbol=symbol, id=value)

    def assigned(self, name: str, symbol: str) -> str | None:
        for found in self.transaction.findall(f"{name}/Assign"):
            if found.get("symbol") == symbol:
                return found.get("id")
        return None

    def add_reports(self, reports: Mapping[str, str]) -> None:
        self.reports.update(reports)
        made = etree.SubElement(self.transaction, "Reports")
        for name, value in reports.items():
            etree.SubElement(made, "Report", name=name).text = value


def start_step(step: Step) -> StepLog:
    """An empty log of a step, with the echo of its instructions."""
    if step.instructions is None:
        return StepLog(id=step.id, transaction=etree.Element("NoTransaction"))
    transaction = etree.Element(step.instructions.element.tag, step=step.id)
    for child in step.instructions.element.iterchildren("*"):
        if child.tag not in ("Report", "UseReport", "UseId", "Assertions", "ExpectedContents", "Document"):
            transaction.append(as_root(child))
    return StepLog(id=step.id, transaction=transaction)


@dataclass(slots=True)
class SectionLog:
    """All steps of a section so far; a step run again replaces its former log."""

    test: str
    section: str
    steps: dict[str, StepLog] = field(default_factory=dict)

    def tree(self) -> etree._Element:
        """`TestResults`, a copy."""
        results = etree.Element("TestResults")
        etree.SubElement(results, "Test").text = f"{self.test}/{self.section}"
        for step in self.steps.values():
            made = etree.SubElement(results, "TestStep", id=step.id, status=step.status)
            made.append(deepcopy(step.transaction))
        return results


@dataclass(slots=True)
class Logs:
    """The logs of a run, by test and section; the newest run of a section counts."""

    sections: dict[tuple[str, str], SectionLog] = field(default_factory=dict)

    def start(self, section: Section) -> SectionLog:
        log = SectionLog(test=section.test, section=section.name)
        self.sections[section.test, section.name] = log
        return log

    def step(self, test: str, section: str, step: str) -> StepLog:
        """Raises StepFailed when it was not run."""
        found = self.sections.get((test, section))
        if found is None or step not in found.steps:
            raise StepFailed(
                Sentence(
                    f"aucun résultat de l'essai {test}, section {section}, étape {step}, auquel renvoyer",
                    f"there is no result of test {test}, section {section}, step {step} to refer to",
                )
            )
        return found.steps[step]

    def step_of(self, section: Section, testdir: str, step: str) -> StepLog:
        """The step of another section, `testdir` relative to this section's folder. Raises StepFailed."""
        test, name = place_of(section, testdir)
        return self.step(test, name, step)

    def resolve(self, section: Section, use: UseId) -> str:
        """The value assigned earlier that a UseId names. Raises StepFailed."""
        value = self.step_of(section, use.testdir, use.step).assigned(use.section, use.id)
        if value is None:
            raise StepFailed(
                Sentence(
                    f"l'étape {use.step} de {use.testdir or 'cette section'} n'a pas de {use.section} pour {use.id}",
                    f"step {use.step} of {use.testdir or 'this section'} has no {use.section} for {use.id}",
                )
            )
        return value


def place_of(section: Section, testdir: str) -> tuple[str, str]:
    """Test and section that a folder relative to a section means."""
    here = section.test if section.name == NAMELESS else f"{section.test}/{section.name}"
    test, _, name = posixpath.normpath(posixpath.join(here, testdir)).partition("/")
    return test, name or NAMELESS
