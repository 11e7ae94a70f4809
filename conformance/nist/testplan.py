"""A test plan as values: the steps of a section and what each is to send, expect, remember and check."""

from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from conformance.nist.transactions import Transaction

THIS = "THIS"


@dataclass(frozen=True, slots=True, kw_only=True)
class UseId:
    """Symbol := a value assigned earlier; `testdir` is relative to the section folder, empty means this section."""

    id: str
    symbol: str
    step: str
    section: str
    testdir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseReport:
    """Text `use_as` := a value reported earlier; `test` empty means this test, `section` THIS this section."""

    report_name: str
    use_as: str
    step: str
    section: str = ""
    test: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Value to remember: an XPath on the first element named `section` of the step's log."""

    name: str
    section: str
    xpath: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    id: str
    xpath: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryExpectation:
    """One DocumentEntry of `DocumentEntries`, found by a UseId; `mode` is Include, Exclude or MustOnlyInclude."""

    mode: str
    use_id: UseId
    object_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One child of ExpectedContents."""

    name: str
    count: int | None = None
    entries: tuple[EntryExpectation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a transaction element says; `element` is the plan's own element, for the log."""

    transaction: Transaction
    element: etree._Element
    metadata_file: Path | None = None
    parse_metadata: bool = True
    has_patient_id: bool = True
    assign_uuids: bool = False
    kept_schemes: tuple[str, ...] = ()
    keep_all_unique_ids: bool = False
    kept_unique_ids: tuple[str, ...] = ()
    converts: bool = True
    is_mtom_wanted: bool = True
    clean_parameters: bool = False
    wait_milliseconds: int = 0
    use_ids: tuple[UseId, ...] = ()
    use_reports: tuple[UseReport, ...] = ()
    reports: tuple[Report, ...] = ()
    documents: tuple[tuple[str, Path], ...] = ()
    expected_contents: tuple[Expectation, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    data_references: tuple[tuple[str, str], ...] = ()
    reference_metadata: tuple[tuple[str, str], ...] = ()
    reference_documents: tuple[tuple[str, str], ...] = ()
    expected_mime_type: str = ""
    soap_headers: tuple[bytes, ...] = ()
    new_patient_id: bool = False
    fed_patient_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; without instructions it only allocates a patient id and passes."""

    id: str
    expected_statuses: tuple[str, ...] = ()
    expected_error_code: str = ""
    expected_error_message: str = ""
    goals: tuple[str, ...] = ()
    new_patient_id: bool = False
    alternative_patient_id: bool = False
    instructions: Instructions | None = None

    @property
    def expects_success(self) -> bool:
        return "Success" in self.expected_statuses

    @property
    def is_negative(self) -> bool:
        return self.expected_statuses == ("Failure",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    path: Path
    steps: tuple[Step, ...]
