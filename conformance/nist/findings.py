"""What a check says: a finding fails its step, a remark is only reported."""

from dataclasses import dataclass

from conformance.sentence import Sentence, french, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`check` is the name of the check, as `--skip-check` knows it."""

    check: str
    reason: Sentence
    expected: str = ""
    found: str = ""
    is_remark: bool = False

    @property
    def told(self) -> Sentence:
        """All of it; the words of an answer stay as they came."""
        details = [Sentence(f"attendu {french(self.expected)}", f"expected {self.expected}")] if self.expected else []
        details += [Sentence(f"trouvé {french(self.found)}", f"got {self.found}")] if self.found else []
        return joined((self.reason, joined(details)), Sentence(" : ", ": ")) if details else self.reason

    def __str__(self) -> str:
        return self.told.en


# Checks beside the expectations of the plan; each can be left out.
CHECKS = {
    "action": "wsa:Action of the answer, and RelatesTo",
    "http": "a registry response travels with HTTP 200 and the media type of SOAP 1.2",
    "mtom": "an MTOM request is answered in MTOM, a plain one plainly",
    "schema": "the answer is valid against the schemas of ebRS 3.0 and XDS.b",
    "request-schema": "so is the request (a remark)",
    "errors": "errors agree with the status, and have errorCode, codeContext and severity",
    "metadata": "returned metadata obey the rules of ITI TF-3: 4.2 and the code table",
    "fidelity": "what was submitted comes back unchanged",
    "retrieve": "retrieved documents: echo, mimeType, hash, size, as many as asked for",
    "octets": "retrieved octets are the submitted ones",
    "nothing-left": "a refused submission or removal changed nothing",
    "context": "codeContext names the offending value (a remark)",
}
