"""What a process shows the others of its record: the secret they share, or its client certificate over TLS."""

import ssl
from collections.abc import Mapping

from access_policy.caller import Caller
from carnet.carried_caller import carried_caller_header
from carnet.internal_calls import read_secret
from carnet.proof import Proof
from carnet.settings import Settings
from carnet.tls import watched_client_context


class Shown:
    """The proof of a process. A changed certificate is shown without a restart."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for a secret or a certificate that cannot be used."""
        self._secret = read_secret(settings)
        self._timeout = float(settings.registry_timeout_seconds)
        self._context = watched_client_context(settings) if settings.internal_certificate else None

    @property
    def context(self) -> ssl.SSLContext | None:
        """TLS of a connection; None without certificate."""
        return None if self._context is None else self._context.current

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of HTTP; none without secret."""
        return {"Authorization": f"Bearer {self._secret}"} if self._secret else {}

    def for_caller(self, caller: Caller) -> Proof:
        """What a SOAP message for this caller carries."""
        carried = carried_caller_header(caller)
        return Proof(context=self.context, carried=carried, headers=self.headers, timeout=self._timeout)
