"""The runs of the NIST XDS kit and of the FHIR kit as findings on requirements, with their messages."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from conformance.fhir.as_run import findings_of_case
from conformance.fhir.bundle_cases import read_cases
from conformance.fhir.client import Answer, Client
from conformance.fhir.command_line import known_patient, run_cases
from conformance.judgement import Finding, Message
from conformance.nist.as_run import findings_of_test, message_of
from conformance.nist.configuration import Configuration, check_server, open_session, open_system
from conformance.nist.kit import read_kit
from conformance.nist.outcomes import StepOutcome
from conformance.nist.run import Observer, run_kit
from conformance.nist.run_order import plan_run, select
from conformance.nist.step_run import SystemUnderTest
from conformance.server.configuration import Mhd, ServerConfiguration, Xds

Keep = Callable[[Message], None]
Told = Callable[[str, int], None]
_SUITE = "Provide Document Bundle"


def run_nist(configuration: ServerConfiguration, xds: Xds, keep: Keep, told: Told) -> Iterator[Finding]:
    """Run the NIST kit: a finding for each test that passed or was not run, one for each thing wrong in the others."""
    kit = read_kit(xds.kit, codes=xds.codes)
    planned = plan_run(kit, select(kit, xds.tests, left_out=xds.skip_tests, tags=xds.actors))
    given = _nist_configuration(configuration, xds)
    system, session = open_system(given), open_session(given, kit)
    check_server(given, system)
    if not xds.waits:
        system = _without_waits(system)
    numbers, sent = itertools.count(1), dict[str, str]()

    def step_ends(step: StepOutcome) -> None:
        message = message_of(step, next(numbers))
        if message is not None:
            sent[step.place] = message.id
            keep(message)

    observer = Observer(step_ends=step_ends, test_ends=lambda test: told(f"NIST {test.id}", len(planned)))
    for test in run_kit(kit, planned, system, session, observer).tests:
        yield from findings_of_test(test, sent)


def _without_waits(system: SystemUnderTest) -> SystemUnderTest:

    return replace(system, wait=lambda seconds: None)


def _nist_configuration(configuration: ServerConfiguration, xds: Xds) -> Configuration:
    tls = configuration.tls
    return Configuration(
        registry=xds.registry,
        repository=xds.repository,
        addresses={name: url for name, url in (("xdr", xds.xdr), ("xdr_limited", xds.xdr_limited)) if url},
        feed=xds.feed,
        feed_command=xds.feed_command,
        is_without_feed=xds.no_feed,
        patients=xds.patients,
        authority=xds.authority,
        timeout_seconds=configuration.timeout_seconds,
        tls_authorities=None if tls is None else tls.authorities,
        tls_certificate=None if tls is None else tls.certificate,
        tls_key=None if tls is None else tls.key,
    )


def run_fhir(configuration: ServerConfiguration, mhd: Mhd, keep: Keep, told: Told) -> Iterator[Finding]:
    """Run the FHIR kit: a finding for each thing wrong, or one for the case."""
    if mhd.kit is None:
        return
    numbers, sent = itertools.count(1), list[str]()

    def observe(request: bytes, answer: Answer) -> None:
        message = _fhir_message(request, answer, next(numbers), mhd.base)
        sent.append(message.id)
        keep(message)

    tls = None if configuration.tls is None else configuration.tls.context()
    client = Client(base=mhd.base.rstrip("/"), headers=mhd.headers, tls=tls, observe=observe)
    count = len(read_cases(mhd.kit))
    for case in run_cases(client, mhd.kit, mhd.tests, known_patient(mhd.patient) if mhd.patient else None):
        told(f"FHIR {case.name}", count)
        yield from findings_of_case(case, sent)
        sent.clear()


def _fhir_message(request: bytes, answer: Answer, number: int, base: str) -> Message:
    head = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in answer.headers.items()), "", ""]
    return Message(
        id=f"fhir-{number:04}",
        time=datetime.now(UTC),
        transaction=answer.request.partition(" ")[0],
        peer=base,
        request=f"{answer.request} HTTP/1.1\r\nContent-Type: application/fhir+json\r\n\r\n".encode() + request,
        answer="\r\n".join(head).encode("utf-8") + answer.body,
        step="fhir",
    )
