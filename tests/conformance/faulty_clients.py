"""Faulty clients: Carnet's own tools with one thing wrong, one for each requirement. The table is in the documentation.

Each plays one step over a recorder of its own, after the history of a client without fault, and fails the requirement
it is for and no other.
"""

import re
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from lxml import etree
from signxml.signer import XMLSigner

from access_policy.caller import AuthenticationMode
from access_policy.make_vihf import make_vihf, security_header, sign_assertion
from carnet.pki import Credential
from carnet.proof import Proof, client_context
from carnet.reports import Report
from carnet.signing import signed_submission
from carnet.xds_client import XdsClient
from conformance.client.exchanges import Laboratory, read_authorities, read_revocations, replayed
from conformance.client.received import SAML, Received
from conformance.client.recorder import Recorder
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import Step
from conformance.client.session import Session
from conformance.client.traces import Trace, trace_of
from conformance.judgement import Finding, Heading, Message, Run, Verdict
from conformance.requirements import Actor
from conformance.run_folder import RunFolder
from tests.conformance.vendor_software import Software, credential
from tests.mutual_tls import read_all

DS = "http://www.w3.org/2000/09/xmldsig#"
FEED, LOT, REPLACE = (f"alimentation/{one}" for one in ("one-document", "several-documents", "replacement"))
EXIST, SEARCH, READ = "alimentation/existence", "consultation/search", "consultation/document"
MASK, ARCHIVE, CLOSE = (f"administration/{one}" for one in ("masking", "archiving", "closure"))
CREATE = "administration/creation"
Octets = Callable[[bytes], bytes]
OnElement = Callable[[etree._Element], None]


@dataclass
class Workbench:
    """The run of the client without fault, the server behind, and how to send what was sent with something else."""

    software: Software
    run: Run
    steps: Mapping[str, Step]
    rules: tuple[Rule, ...]
    folder: Path
    backend: Path
    laboratory: Laboratory = field(init=False)

    def __post_init__(self) -> None:
        prepared = self.software.prepared
        authorities, revocations = read_authorities(prepared.trust), read_revocations(prepared.trust)
        self.laboratory = Laboratory(people=self.software.people, authorities=authorities, revocations=revocations)

    def message(self, step: str, transaction: str) -> Message:
        """The first of a transaction in a step."""
        return next(one for one in self.run.messages if (one.step, one.transaction) == (step, transaction))

    def history(self, step: str) -> tuple[Trace, ...]:
        """What came before a step."""
        order = list(self.steps)
        before = set(order[: order.index(step)])
        return tuple(trace_of(replayed(one, self.steps[one.step])) for one in self.run.messages if one.step in before)

    @contextmanager
    def opened(self, step: str, *, has_history: bool = True) -> Iterator["Bench"]:
        """A recorder in this step, after what the client without fault did before it."""
        folder = RunFolder(path=self.folder / f"{uuid.uuid4()}")
        folder.start(Heading(actor=Actor.CLIENT, subject="faulty", profiles=(step,), started=datetime.now(UTC)))
        history = self.history(step) if has_history else ()
        session = Session((self.steps[step],), self.laboratory, folder, rules=self.rules, history=history)
        prepared = self.software.prepared
        trusted, untrusted = prepared.context(), prepared.untrusted_context()
        recorder = Recorder(
            ("127.0.0.1", 0),
            context=lambda: untrusted if session.is_untrusted else trusted,
            backend=str(self.backend),
            answering=session.answering,
            on_recorded=session.recorded,
            patience=1.0,
        )
        recorder.start()
        try:
            yield Bench(self, step, session, recorder)
        finally:
            recorder.stop()
            session.close()


@dataclass
class Bench:
    """One faulty client at work."""

    place: Workbench
    step: str
    session: Session
    recorder: Recorder

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.recorder.port}"

    @property
    def software(self) -> Software:
        """The tools, against this recorder."""
        return replace(self.place.software, url=self.url)

    def signer(self, use: str = "signature") -> Credential:
        name = self.software.people.structure.id if use == "seal" else self.software.doctor
        return credential(self.software.prepared.issued(name, use))

    def context(self, use: str = "authentication", **changes: Any) -> ssl.SSLContext:
        name = self.software.people.structure.id if use == "seal" else self.software.doctor
        context = client_context(self.software.prepared.issued(name, use), None, self.software.prepared.trust)
        for one, value in changes.items():
            setattr(context, one, value)
        return context

    def assertion(
        self,
        patient: str,
        *,
        claim: Mapping[str, Any],
        unsigned: OnElement | None = None,
        signed: OnElement | None = None,
        signer: Credential | None = None,
        now: datetime | None = None,
    ) -> etree._Element:
        """A VIHF, changed before or after it is signed."""
        by, vihf = signer or self.signer(), replace(self.software.claim(self.patient(patient)), **claim)
        made = make_vihf(vihf, by.certificate, by.key, now=(now or datetime.now(UTC)).replace(microsecond=0))
        if unsigned is not None:
            made.remove(made.find(f"{{{DS}}}Signature"))
            unsigned(made)
            made = sign_assertion(made, by.certificate, by.key)
        if signed is not None:
            signed(made)
        return made

    def patient(self, identifier: str) -> Any:
        return self.software.people.patient(identifier)

    def send(
        self,
        transaction: str,
        change: Octets | None = None,
        *,
        step: str = "",
        head: Octets | None = None,
        context: ssl.SSLContext | None = None,
        claim: Mapping[str, Any] = {},
        message_id: str = "",
        assertion: etree._Element | None = None,
        **vihf: Any,
    ) -> bytes:
        """What was sent in a step, with a new MessageID and VIHF and the change: the answer."""
        message = self.place.message(step or self.step, transaction)
        patient = self.place.steps[step or self.step].patient
        if assertion is None:
            assertion = self.assertion(patient, claim=claim, **vihf)
        received = Received.of(message.request)
        body = re.sub(
            rb"(MessageID>)[^<]+", rb"\1" + (message_id or f"urn:uuid:{uuid.uuid4()}").encode(), received.body
        )
        at, end = body.index(b"<wsse:Security"), body.index(b"</wsse:Security>") + len(b"</wsse:Security>")
        body = body[:at] + security_header(assertion) + body[end:]
        if change is not None:
            body = changed(body, change)
        first = re.sub(rb"(?i)\r\n(content-length|connection):[^\r]*", b"", received.head)
        first = changed(first, head) if head is not None else first
        octets = first + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
        return self.octets(octets, context)

    def send_fhir(self, transaction: str, change: Octets | None = None, *, head: Octets | None = None) -> bytes:
        """What was sent over FHIR in the step, with a new token and the change: the answer."""
        received = Received.of(self.place.message(self.step, transaction).request)
        token = self.software.proof(self.place.steps[self.step].patient).authorization["Authorization"]
        first = sub("(?i)\r\n(content-length|connection|authorization):[^\r]*", count=0)(received.head)
        first += f"\r\nAuthorization: {token}".encode()
        first = changed(first, head) if head is not None else first
        body = received.body if change is None else changed(received.body, change)
        return self.octets(first + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)

    def octets(self, octets: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """Whatever, over TLS."""
        plain = socket.create_connection(("127.0.0.1", self.recorder.port), timeout=30)
        try:
            with (context or self.context()).wrap_socket(plain, server_hostname="localhost") as secured:
                secured.sendall(octets)
                return read_all(secured)
        except (ssl.SSLError, ConnectionError):
            return b""
        finally:
            plain.close()

    def push(
        self,
        *reports: Report,
        entry: Mapping[str, Any] = {},
        content: Octets | None = None,
        signer: Credential | None = None,
        claim: Mapping[str, Any] = {},
        **given: Any,
    ) -> Any:
        """Feed a report whose octets or whose entry are changed."""
        report = self.software.fed[0]
        if content is not None:
            report = replace(report, content=changed(report.content, content))
        fed = reports or (replace(report, entry=replace(report.entry, **entry)),)
        assertion = self.assertion("followed", claim=claim)
        client = XdsClient(self.url, proof=Proof(context=self.context(), assertion=assertion))
        return client.push(fed, sign=partial(signed_submission, signer=signer or self.signer()), **given)

    def findings(self, *, is_done: bool = True) -> list[Finding]:
        """Of the step, once everything is judged, the conversation too; `is_done`: what it waits for has come."""
        self.session.settle()
        if is_done:
            self.session.confirm(answer=True)
        else:
            assert self.session.missing
        return list(self.session.folder.load().findings)

    def replay(self) -> None:
        """What the client without fault sent in this step; what it repeated, once."""
        sent = {one.transaction: one for one in self.place.run.messages if one.step == self.step}
        for one in sent.values():
            (self.send_fhir if Received.of(one.request).is_fhir else self.send)(one.transaction)

    def finished(self) -> Run:
        """The run, its step confirmed."""
        self.findings()
        return self.session.folder.load()

    def failed(self, *, is_done: bool = True) -> dict[str, str]:
        """Requirement -> what was found."""
        return {one.requirement: one.text_en for one in self.findings(is_done=is_done) if one.verdict is Verdict.FAILED}


def changed(octets: bytes, change: Octets) -> bytes:
    """Changed, and not the same."""
    new = change(octets)
    assert new != octets, "the mutation changes nothing"
    return new


def sub(pattern: str, new: str = "", *, count: int = 1) -> Octets:
    """A pattern replaced; `.` is any octet."""
    expression = re.compile(pattern.encode(), re.DOTALL)
    return lambda octets: expression.sub(new.encode(), octets, count=count)


def attribute(name: str, value: str) -> OnElement:
    """The text of the value of an attribute."""

    def change(assertion: etree._Element) -> None:
        found = [one for one in assertion.iter(f"{{{SAML}}}Attribute") if one.get("Name") == name]
        found[0][0].text = value

    return change


def sha1(assertion: etree._Element, by: Credential) -> etree._Element:
    """Signed anew with RSA-SHA1, which signxml warns of."""

    class Signer(XMLSigner):
        def check_deprecated_methods(self) -> None:
            """It is what is wanted here."""

    assertion.remove(assertion.find(f"{{{DS}}}Signature"))
    assertion.insert(1, etree.Element(f"{{{DS}}}Signature", {"Id": "placeholder"}, {"ds": DS}))
    exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
    signer = Signer(signature_algorithm="rsa-sha1", digest_algorithm="sha1", c14n_algorithm=exclusive)
    return signer.sign(
        assertion, key=by.key, cert=[by.certificate], reference_uri=f"#{assertion.get('ID')}", id_attribute="ID"
    )


Act = Callable[[Bench], object]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mutation: what it does in words, in which step, and the act."""

    requirement: str
    what: str
    step: str
    act: Act
    has_history: bool = True

    def __str__(self) -> str:
        return self.requirement


def fault(requirement: str, step: str, what: str, act: Act, *, has_history: bool = True) -> Fault:
    return Fault(requirement=f"CLIENT-{requirement}", step=step, what=what, act=act, has_history=has_history)


INDIRECT: Mapping[str, Any] = {"mode": AuthenticationMode.INDIRECT, "display_name": "EXEMPLE-CARIOU GWENDAL"}
