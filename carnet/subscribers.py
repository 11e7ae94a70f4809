"""Whether somebody who subscribed would still be taken today: what the server believes may have changed since."""

from collections.abc import Callable
from pathlib import Path

from access_policy.caller import Caller, Credentials, Kind
from access_policy.refusals import Refused
from carnet.known_callers import directory_check
from carnet.settings import Settings
from carnet.token_issuers import read_issuers
from carnet.trust_folder import read_providers
from storage.unit_of_work import Units

Believed = Callable[[Caller], bool]


def still_believed(settings: Settings, units: Units) -> Believed:
    """By the mode of the server, the issuers of its settings and the directory. Raises SettingsError.

    Whoever was taken without proof is believed by an open server alone. The signature of an assertion that was kept
    is not verified again; a directory that cannot be read raises StorageFailed.
    """
    is_open, check = settings.security == "open", directory_check(settings, units)
    providers = {one.issuer for one in read_providers(Path(settings.xua))} if settings.xua else set[str]()
    issuers = (
        {one.issuer for one in read_issuers(Path(settings.token_issuers))[0]} if settings.token_issuers else set[str]()
    )
    believed: dict[Kind, Callable[[Credentials], bool]] = {
        Kind.VIHF: lambda _proof: settings.domain == "dmp",
        Kind.XUA: lambda proof: proof.issuer in providers,
        Kind.TOKEN: lambda proof: proof.issuer in issuers,
    }

    def is_believed(caller: Caller) -> bool:
        proof = caller.credentials
        if caller.is_open or proof is None or not proof.signer:
            return is_open
        try:
            check(caller)
        except Refused:
            return False
        return believed[proof.kind](proof)

    return is_believed
