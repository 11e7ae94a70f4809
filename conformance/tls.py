"""What the kit connects with over TLS: authorities to trust, a certificate and its key."""

import ssl
from pathlib import Path

from conformance.failures import KitError
from conformance.sentence import Sentence, reason

_AUTHORITIES = Sentence("attendu des certificats d'autorités (PEM)", "expected certificates of authorities (PEM)")
_PAIR = Sentence(
    "attendu un certificat et sa clé (PEM, sans mot de passe)", "expected a certificate and its key (PEM, no password)"
)


def client_context(
    authorities: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Without authorities those of the system; the key may be in the file of its certificate.

    Raises KitError naming the file that cannot be used and what is expected of it.
    """
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as problem:
        raise _unusable(problem, _AUTHORITIES, authorities) from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # servers under test have certificates of all ages
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key, password="")
        except OSError as problem:
            raise _unusable(problem, _PAIR, certificate, key) from None
    return context


def _unusable(problem: OSError, expected: Sentence, *files: Path | None) -> KitError:
    """What OpenSSL says of a file is for those who know OpenSSL; what a file should be, for everybody."""
    names = ", ".join(str(one) for one in files if one is not None)
    why = expected if isinstance(problem, ssl.SSLError) else reason(problem)
    return KitError(Sentence(f"TLS, {names} : {why.fr}", f"TLS, {names}: {why}"))
