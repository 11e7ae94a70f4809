"""A run of a client that did two things wrong, and whose messages try to harm those who read them."""

from datetime import UTC, datetime, timedelta

from conformance.judgement import Finding, Heading, Message, Run, Verdict
from conformance.requirements import Actor

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HARM = '<script>document.title="harmed"</script><img src=x onerror="document.title=\'harmed\'">'
ENVELOPE = (
    f'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><a b="1">{HARM}</a></e:Body></e:Envelope>'
)
HEAD = "POST /xds/repository HTTP/1.1\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n\r\n"


def a_message(number: int, **changes: object) -> Message:
    given: dict[str, object] = {
        "id": f"{number:04}",
        "time": NOW + timedelta(seconds=number),
        "transaction": "ITI-41",
        "peer": f"127.0.0.1 {HARM}",
        "request": (HEAD + ENVELOPE).encode(),
        "answer": b'HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n\r\n{"a": [1]}',
        "step": "alimentation/1",
    }
    return Message(**(given | changes))  # type: ignore[arg-type]


def a_finding(requirement: str, verdict: Verdict, **changes: str) -> Finding:
    given = {
        "text_fr": f"constat {HARM}",
        "text_en": f"finding {HARM}",
        "message": "0001",
        "location": "/e:Envelope/e:Body",
        "evidence": f"</pre>{HARM}\u202eabc\x00",
    }
    return Finding(requirement=requirement, verdict=verdict, **(given | changes))


def a_run(messages: int = 2) -> Run:
    heading = Heading(
        actor=Actor.CLIENT,
        subject=f"Logiciel {HARM}",
        profiles=("alimentation",),
        started=NOW,
        settings={"listen": "127.0.0.1:8443"},
    )
    return Run(
        heading=heading,
        messages=tuple(a_message(number) for number in range(1, messages + 1)),
        findings=(
            a_finding("CLIENT-SOAP-01", Verdict.FAILED),
            a_finding("CLIENT-SOAP-01", Verdict.PASSED, message="0002"),
            a_finding("CLIENT-META-05", Verdict.FAILED, evidence="279035121518989"),
            a_finding("CLIENT-SOAP-02", Verdict.PASSED),
        ),
        ended=NOW + timedelta(minutes=1),
    )
