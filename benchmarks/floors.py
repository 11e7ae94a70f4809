"""What a transaction is compared with: the same work without what Carnet adds to it."""

from enum import Enum


class Floor(Enum):
    """What stands beside a transaction; the value is how a table names it."""

    CANNED = "canned bytes"
    TRANSACTION = "bare transaction"
    QUESTIONS = "bare questions"
    SMALLER = "smaller registry"
    COPY = "plain copy"
