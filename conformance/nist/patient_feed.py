"""Making patients known to the system under test: by ITI-8, by a command, or not at all. ITI TF-2: 3.8.4.1.2."""

import shlex
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from conformance.failures import ExchangeFailed
from conformance.nist.mllp_client import MllpClient
from conformance.sentence import NOTHING_SAID, Sentence, sentence_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedExchange:
    """What was sent and what came back, as text; `problem` empty when the patient is known now.

    `note` is for the reader of the report.
    """

    address: str
    request: str = ""
    response: str = ""
    problem: Sentence = NOTHING_SAID
    note: Sentence = NOTHING_SAID


Feed = Callable[[str], FeedExchange]


def feed_by_mllp(client: MllpClient) -> Feed:
    """ADT^A01 to a patient identity consumer."""

    def feed(patient_id: str) -> FeedExchange:
        control_id = uuid.uuid4().hex[:20]
        message = admission(patient_id, control_id=control_id, at=datetime.now(UTC))
        sent = message.replace("\r", "\n")
        try:
            answer = client.send(message.encode("utf-8")).decode("utf-8", "replace")
        except ExchangeFailed as problem:
            return FeedExchange(address=client.url, request=sent, problem=sentence_of(problem))
        return FeedExchange(
            address=client.url,
            request=sent,
            response=answer.replace("\r", "\n"),
            problem=acknowledgement_problem(answer, control_id),
        )

    return feed


def feed_by_command(template: str, *, timeout_seconds: float = 60.0) -> Feed:
    """A command for each patient; `{patient_id}` is the CX, `{id}` and `{authority}` its parts. No shell is used."""

    def feed(patient_id: str) -> FeedExchange:
        identifier, _, rest = patient_id.partition("^^^&")
        values = {"patient_id": patient_id, "id": identifier, "authority": rest.partition("&")[0]}
        command = [_filled(word, values) for word in shlex.split(template)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False)
        except (OSError, subprocess.TimeoutExpired) as problem:
            return FeedExchange(
                address=template,
                request=shlex.join(command),
                problem=Sentence(f"la commande a échoué : {problem}", f"the command failed: {problem}"),
            )
        return FeedExchange(
            address=template,
            request=shlex.join(command),
            response=done.stdout + done.stderr,
            problem=Sentence(
                f"la commande a fini avec le code {done.returncode}",
                f"the command ended with exit code {done.returncode}",
            )
            if done.returncode
            else NOTHING_SAID,
        )

    return feed


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def no_feed(patient_id: str) -> FeedExchange:
    """The patients are known already, or made known by other means; nothing is sent."""
    return FeedExchange(
        address="none",
        note=Sentence(f"non envoyé : {patient_id} est tenu pour connu", f"not sent: {patient_id} is taken to be known"),
    )


def admission(patient_id: str, *, control_id: str, at: datetime) -> str:
    """ADT^A01 of HL7 v2.3.1 for an invented person; segments end with a carriage return."""
    now = f"{at:%Y%m%d%H%M%S}"
    segments = (
        f"MSH|^~\\&|CONFORMANCE|CONFORMANCE|REGISTRY|REGISTRY|{now}||ADT^A01|{control_id}|P|2.3.1",
        f"EVN|A01|{now}",
        f"PID|||{patient_id}||TESTER^ALEX^^^||19700101|O|||1 TEST STREET^^TESTVILLE^^00000^XX",
        "PV1||O",
    )
    return "".join(f"{segment}\r" for segment in segments)


def acknowledgement_problem(answer: str, control_id: str) -> Sentence:
    """Why the acknowledgement is no acceptance of this message; empty when it is one."""
    segments = [line.split("|") for line in answer.replace("\n", "\r").split("\r") if line]
    found = next((fields for fields in segments if fields[0] == "MSA"), None)
    if found is None or len(found) < 2:
        return Sentence(
            f"la réponse n'a pas de segment MSA : {answer[:80]!r}", f"the answer has no MSA segment: {answer[:80]!r}"
        )
    if found[1] not in ("AA", "CA"):
        details = "; ".join("|".join(fields) for fields in segments if fields[0] in ("MSA", "ERR"))
        return Sentence(
            f"acquitté par {found[1]}, attendu AA : {details}", f"acknowledged with {found[1]}, expected AA: {details}"
        )
    acknowledged = found[2] if len(found) > 2 else ""
    if acknowledged == control_id:
        return NOTHING_SAID
    return Sentence(
        f"MSA-2 vaut {acknowledged!r}, attendu {control_id!r}", f"MSA-2 is {acknowledged!r}, expected {control_id!r}"
    )
