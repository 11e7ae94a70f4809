"""Why an act on a record is refused: a named code, and what was found and expected. DMP 4"""

from enum import StrEnum

from xds.failure import Failure


class Refusal(StrEnum):
    """The code of a refusal: the DMP's own where one is known, else ours."""

    FOUND = "DMPFound"  # the record exists, or is active
    CLOSED = "DMPClosed"  # it is closed already
    NO_RECORD = "record-not-found"
    NOT_OPEN = "record-not-open"
    ERASED = "record-erased"
    OPPOSED = "opposition-recorded"
    NOT_OPPOSED = "no-opposition-recorded"
    TOO_EARLY = "period-not-over"
    REGIME = "regime-forbids"
    NO_CONSENT = "consent-missing"
    UNKNOWN_CHANNEL = "channel-unknown"
    WRONG_INS = "ins-malformed"
    WRONG_INS_KEY = "ins-key-wrong"
    REPRESENTATIVE_MISSING = "representative-missing"
    NOT_REPRESENTATIVE = "not-a-representative"
    BLOCKED = "professional-blocked"
    NOT_AUTHORISED = "no-authorisation-recorded"
    NOT_TREATING_DOCTOR = "not-the-treating-doctor"
    AUTHORISATION_ENDED = "authorisation-ends-before-it-begins"
    UNNAMED = "professional-unnamed"
    WRONG_IDENTIFIER = "identifier-malformed"
    SAME_RECORD = "same-record"
    TWO_ACTIVE = "two-active-records"
    WRONG_DATE = "date-malformed"
    WRONG_FIELD = "field-malformed"
    OTHER_PATIENT = "XDSPatientIdDoesNotMatch"
    RIGHTS = "DMPAccessDeniedByRightsService"
    NOT_DOCTOR = "not-a-doctor"
    ACCESS_EXISTS = "DMPPatientAccessAlreadyExists"
    CHANNEL_EXISTS = "DMPPatientAccessOTPAlreadyExists"
    NO_ACCESS = "patient-access-not-found"


class RecordRefused(Failure):
    """An act that was refused; nothing has changed."""

    def __init__(self, code: Refusal, context: str) -> None:
        self.code, self.context = code, context
        super().__init__(f"{code}: {context}")
