"""The caller of a request. ITI TF-1: 13 (XUA)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as far as it was proved. `is_open`: the server runs with `--security open`, where nobody is asked."""

    name: str
    is_open: bool = False


OPEN_CALLER = Caller(name="open", is_open=True)
