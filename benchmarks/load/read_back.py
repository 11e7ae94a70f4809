"""Acknowledged documents asked for again by ITI-43: every octet must be what was sent."""

from benchmarks.load.messages import Feed
from benchmarks.questions import retrieve_request
from benchmarks.requests import Request
from xds.datatypes import CX


class ReadBack:
    """`Messages` of ITI-43, by the numbers of the feed."""

    def __init__(self, feed: Feed, repository: str) -> None:
        self._feed, self._repository = feed, repository

    def patient(self, number: int) -> CX:
        return self._feed.patient(number)

    def request(self, number: int) -> Request:
        return retrieve_request(self._repository, self._feed.unique_id(number))

    def problem(self, number: int, answer: bytes) -> str:
        if self._feed.report(number) in answer:
            return ""
        return "an acknowledged document is missing or has other octets"
