"""What a caller may see, as a filter that a store applies before anything is counted or shown."""

from dataclasses import dataclass

from access_policy.caller import Caller, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """A decision about rows: everything, what belongs to one patient (by CX key), or nothing."""

    everything: bool
    patient: str = ""

    def admits(self, patient: str) -> bool:
        """Whether objects of the patient with this CX key may be seen."""
        return self.everything or (self.patient != "" and self.patient == patient)


EVERYTHING = Visibility(everything=True)
NOTHING = Visibility(everything=False)


def visibility(caller: Caller) -> Visibility:
    """Default deny: an assertion opens the record of the patient it names, and no other.

    A XUA assertion that names nobody opens what its community may see: the open policy of the `ihe` domain.
    """
    if caller.is_open:
        return EVERYTHING
    if caller.credentials is None:
        return NOTHING
    if caller.patient_id is not None:
        return Visibility(everything=False, patient=caller.patient_id.key)
    return EVERYTHING if caller.credentials.kind is Kind.XUA else NOTHING
