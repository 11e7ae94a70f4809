"""What a caller may see, as a filter that a store applies before anything is counted or shown."""

from dataclasses import dataclass

from access_policy.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """A decision about rows: everything, or nothing."""

    everything: bool


EVERYTHING = Visibility(everything=True)
NOTHING = Visibility(everything=False)


def visibility(caller: Caller) -> Visibility:
    """Default deny: only the caller of an open server sees anything without further proof."""
    return EVERYTHING if caller.is_open else NOTHING
