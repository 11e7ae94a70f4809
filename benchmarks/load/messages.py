"""The messages of a load, made before it begins: templates cut where particulars stand, assertions signed.

A client uses an assertion about a patient for a few messages and then gets another one; how many is `reuse`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from access_policy.make_vihf import make_vihf
from benchmarks.load.answers import Answer
from benchmarks.load.arrivals import Arrival
from benchmarks.load.profiles import FEED
from benchmarks.plan import QUERIED_ENTRIES
from benchmarks.requests import BOUNDARY, ROOT_ID, Request, Workload, is_success
from benchmarks.shown import Signed, shown_as
from benchmarks.transaction import Transaction
from benchmarks.transactions import BY_KEY
from carnet.pki import Credential
from carnet.pki_folder import read_credential
from soap.mtom import content_type_of
from tests import sts
from xds.datatypes import CX
from xds.identifiers import UUID_PREFIX

FED_PATIENTS = 2000
_LIFE = timedelta(hours=8)
_END_OF_HEADER = b"</env:Header>"


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at some of its words."""

    pieces: tuple[bytes, ...]
    words: tuple[bytes, ...]

    @classmethod
    def cut(cls, text: bytes, words: Iterable[bytes]) -> "Template":
        """Cut at every place where one of these words stands."""
        parts = re.split(b"(" + b"|".join(re.escape(word) for word in words) + b")", text)
        return cls(pieces=tuple(parts[::2]), words=tuple(parts[1::2]))

    def filled(self, others: Mapping[bytes, bytes]) -> bytes:
        """The text with other words in place of those it was cut at."""
        parts = [self.pieces[0]]
        for word, piece in zip(self.words, self.pieces[1:], strict=True):
            parts += (others[word], piece)
        return b"".join(parts)


class Messages(Protocol):
    """Requests of one transaction, without assertions, and what their answers must be."""

    def patient(self, number: int) -> CX:
        """Whom the request of this number is about."""

    def request(self, number: int) -> Request:
        """The request of this number."""

    def problem(self, number: int, answer: bytes) -> str:
        """What is wrong with the body of an answer; empty when nothing is."""


class Feed:
    """ITI-41 of one report each, every one with identifiers of its own, for many patients in turn."""

    def __init__(self, workload: Workload) -> None:
        self._workload, self._maker = workload, workload.submissions
        self._patients = workload.plan.others[:FED_PATIENTS]
        model = workload.documents.patient(self._maker.patient(0)).ins.id
        self._words = (*(one.encode() for one in self._maker.provided_identifiers(0)), model.encode())
        message = self._maker.provide_and_register(0, boundary=BOUNDARY, root_id=ROOT_ID)
        self._message = Template.cut(message, self._words)
        self._report = Template.cut(self._maker.provided_report(0), self._words)

    def patient(self, number: int) -> CX:
        return self._workload.documents.patient(self._patients[number % len(self._patients)]).ins

    def request(self, number: int) -> Request:
        body = self._message.filled(self._others(number))
        return Request(path="/xds/repository", content_type=content_type_of(BOUNDARY, ROOT_ID), body=body)

    def problem(self, number: int, answer: bytes) -> str:
        return is_success(self._workload, number, answer)

    def report(self, number: int) -> bytes:
        """The octets of the document that the message of this number brings."""
        return self._report.filled(self._others(number))

    def unique_id(self, number: int) -> str:
        return self._maker.provided_unique_id(number)

    def _others(self, number: int) -> Mapping[bytes, bytes]:
        words = (*(one.encode() for one in self._maker.provided_identifiers(number)), self.patient(number).id.encode())
        return dict(zip(self._words, words, strict=True))


class Questions:
    """A transaction that changes nothing, asked for every patient who may be, in turn.

    The first answer about a patient is looked at whole, with the ids in it; the others for what is counted.
    """

    def __init__(self, workload: Workload, transaction: Transaction) -> None:
        self._workload, self._transaction = workload, transaction
        self._subjects: Sequence[int] = transaction.subjects(workload.plan)
        self._made: dict[int, Request] = {}
        self._lengths: dict[int, int] = {}

    def patient(self, number: int) -> CX:
        return self._workload.documents.patient(self._subjects[number % len(self._subjects)]).ins

    def request(self, number: int) -> Request:
        place = number % len(self._subjects)
        if place not in self._made:
            self._made[place] = self._transaction.request(self._workload, place)
        return self._made[place]

    def problem(self, number: int, answer: bytes) -> str:
        place = number % len(self._subjects)
        if place in self._lengths:
            return self._differs(self._lengths[place], len(answer))
        problem = self._transaction.problem(self._workload, place, answer) or self._missing_ids(place, answer)
        if not problem:
            self._lengths[place] = len(answer)
        return problem

    def _differs(self, expected: int, found: int) -> str:
        return "" if found == expected else f"found {found} octets, expected {expected} as the time before"

    def _missing_ids(self, place: int, answer: bytes) -> str:
        """The entryUUIDs of the data set must be in the answer of a search."""
        if self._transaction.key not in _WITH_ALL_IDS:
            return ""
        patient, documents = self._subjects[place], self._workload.documents
        wanted = (documents.entry_uuid(patient, turn) for turn in range(QUERIED_ENTRIES))
        missing = [one for one in wanted if one.removeprefix(UUID_PREFIX).encode() not in answer]
        return f"{len(missing)} of {QUERIED_ENTRIES} entryUUIDs are missing" if missing else ""


_WITH_ALL_IDS = ("iti18-leaf-class", "iti67")


def messages_of(workload: Workload, key: str) -> Messages:
    """The messages of a transaction of a profile."""
    return Feed(workload) if key == FEED else Questions(workload, BY_KEY[key])


class SignedRequests:
    """`benchmarks.load.open_loop.Requests`: every message with an assertion about its patient, signed before.

    Without `signer` none is shown. ITI TF-2: 3.40, DECISIONS on reuse: a client shows one again while it is valid.
    """

    def __init__(self, messages: Mapping[str, Messages], *, signer: str, reuse: int) -> None:
        self._messages, self._reuse = messages, reuse
        self._signer = read_credential(Path(signer), Path(signer)) if signer else None
        self._turns: dict[tuple[str, int], int] = {}
        self._signed: dict[tuple[str, int], Signed] = {}

    def prepare(self, arrivals: Sequence[Arrival], on_progress: Callable[[int], None] = lambda _: None) -> int:
        """Sign what these arrivals need; returns how many assertions that are."""
        if self._signer is None:
            return 0
        asked: Counter[str] = Counter()
        for place, arrival in enumerate(arrivals):
            patient = self._messages[arrival.key].patient(arrival.number)
            turn = self._turns[arrival.key, arrival.number] = asked[patient.key] // self._reuse
            asked[patient.key] += 1
            if (patient.key, turn) not in self._signed:
                self._sign(self._signer, patient, turn)
            on_progress(place + 1)
        return len(self._signed)

    def octets(self, arrival: Arrival) -> bytes:
        messages = self._messages[arrival.key]
        request = messages.request(arrival.number)
        if self._signer is None:
            return request.octets()
        kept = messages.patient(arrival.number).key, self._turns[arrival.key, arrival.number]
        if request.method == "GET":
            return replace(request, authorization=self._signed[kept].token).octets()
        before, end, after = request.body.partition(_END_OF_HEADER)
        return replace(request, body=b"".join((before, self._signed[kept].header, end, after))).octets()

    def problem(self, arrival: Arrival, answer: Answer) -> str:
        return self._messages[arrival.key].problem(arrival.number, answer.body)

    def _sign(self, signer: Credential, patient: CX, turn: int) -> None:
        claim, now = sts.a_claim(patient_id=patient, life=_LIFE), datetime.now(UTC).replace(microsecond=0)
        self._signed[patient.key, turn] = shown_as(make_vihf(claim, signer.certificate, signer.key, now=now))
