"""Octets in base64, between whose characters white space may stand. FHIR R4 2.24.0.1, base64Binary."""

import binascii


def octets_of(text: str) -> bytes:
    """What the text stands for; nearly always it has no white space, and is not copied to find that out.

    Raises ValueError.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
