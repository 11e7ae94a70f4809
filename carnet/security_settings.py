"""Whether settings let a server start: who calls is proved, or nobody but this machine can call."""

from carnet.elsewhere_settings import elsewhere, is_loopback, scheme_of
from carnet.settings import Settings, SettingsError


def check_security(settings: Settings) -> None:
    """Refuse to serve callers nobody asks for their identity, but on loopback. Raises SettingsError."""
    if settings.clock and settings.security != "open":
        raise SettingsError("setting clock: found one with --security mtls, expected none: it is for tests")
    if settings.security == "mtls":
        _check_mtls(settings)
        return
    if not is_loopback(settings.host):
        raise SettingsError(
            f"--security open asks nobody who they are and is refused on {settings.host}: use --host 127.0.0.1"
        )
    for name, url in elsewhere(settings):
        if scheme_of(url) == "https":
            raise SettingsError(f"setting {name}: found {url!r}: who asks for proof takes no callers of an open server")


def _check_mtls(settings: Settings) -> None:
    needed = ("trust",) if settings.is_behind_proxy else ("certificate", "trust")
    missing = [name for name in needed if not getattr(settings, name)]
    if missing:
        raise SettingsError(
            f"--security mtls needs {' and '.join(f'--{name}' for name in missing)} (a test IGC: carnet pki init); "
            "--security open asks nobody who they are and serves loopback only"
        )
    for name, url in elsewhere(settings):
        if scheme_of(url) != "https":
            raise SettingsError(
                f"setting {name}: found {url!r}, expected https://HOST:PORT: with --security mtls the processes of one "
                "record talk over TLS too"
            )
    if settings.is_behind_proxy and not settings.base_url:
        raise SettingsError(f"--host {settings.host} needs --base-url, the URL under which clients reach the proxy")
