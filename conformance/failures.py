"""What can go wrong before or beside a verdict. The text of each says what was found, what was expected and where."""


class KitError(ValueError):
    """The kit, an option or a file of the run is wrong: nothing can be tested until it is put right."""


class UnsupportedPlan(KitError):
    """The plan uses a part of the grammar that this runner does not know; its test is not run."""


class UnreachableServer(OSError):
    """Nobody answers at an address that the run needs."""


class ExchangeFailed(Exception):
    """A message was sent, or tried, and no SOAP or HL7 answer came back."""


class StepFailed(Exception):
    """The step cannot go on, a missing reference for instance: its verdict is failed, with this reason."""
