"""The caller of a request, as far as it was proved. ITI TF-1: 13 (XUA); DMP 6 (VIHF)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.datatypes import CX, Code


class Kind(StrEnum):
    """What proved a caller."""

    VIHF = "VIHF"
    XUA = "XUA"
    TOKEN = "TOKEN"  # noqa: S105 - a JWT of an authorisation server


class AuthenticationMode(StrEnum):
    """How a professional was authenticated. DMP 6.4"""

    DIRECT = "DIRECTE"
    INDIRECT = "INDIRECTE"
    AIR = "INDIRECTE_RENFORCEE"


class PurposeOfUse(StrEnum):
    """Why the record is opened: the access mode of the rights table. ANS JDV_J38"""

    NORMAL = "normal"
    BREAK_GLASS = "bris_de_glace"
    REGULATION = "centre_15"


class Standing(StrEnum):
    """What a caller is to the person whose record it is. DMP 13"""

    PROFESSIONAL = "professional"
    PATIENT = "patient"
    REPRESENTATIVE = "representative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """The software that acts for the caller, as it names itself."""

    name: str = ""
    version: str = ""
    installation: str = ""
    homologation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What proved the caller: for the audit record. Fingerprints are SHA-256, hexadecimal.

    `alias` is the SPProvidedID of the subject, or the audience of a token. ITI TF-2: 3.40.4.2
    `scopes` are those of a token, which opens nothing beyond them. IUA 3.71
    """

    kind: Kind
    version: str = ""
    assertion_id: str
    issuer: str
    alias: str = ""
    expires: datetime
    client: str
    signer: str
    context_class: str = ""
    context_declaration: str = ""
    signed_with_sha1: bool = False
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other end of the connection: its address, and the subject of the certificate it proved (RFC 4514).

    `is_repository`: it is a repository of this registry, which asks for a caller whom it has verified.
    """

    address: str = ""
    certificate: str = ""
    is_repository: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `is_open`: the server runs with `--security open`, where nobody is asked.

    `name` is the subject of the assertion: PS_IdNat, or an identifier of the structure. `roles`: profession first,
    then speciality, section, role or activity. `purposes` are codes of any system; `purpose` is the one of the DMP, and
    `reason` what it says of a break-glass. A patient or a representative is named by the INS, `id^^^&OID&ISO`;
    `patient_id` is the person whose record is asked for, whoever asks.
    """

    name: str
    is_open: bool = False
    standing: Standing = Standing.PROFESSIONAL
    display_name: str = ""
    roles: tuple[Code, ...] = ()
    organisations: tuple[str, ...] = ()
    sector: Code | None = None
    mode: AuthenticationMode | None = None
    purpose: PurposeOfUse | None = None
    purposes: tuple[Code, ...] = ()
    reason: str = ""
    patient_id: CX | None = None
    is_secret_connection: bool = False
    home_community_id: str = ""
    provider_identifiers: tuple[str, ...] = ()
    software: Software = Software()
    credentials: Credentials | None = None
    peer: Peer = Peer()

    @property
    def is_patient_side(self) -> bool:
        """The patient, or a representative."""
        return self.standing is not Standing.PROFESSIONAL

    @property
    def subject(self) -> str:
        """Who this is among the callers of every issuer: a national identifier is somebody by itself.

        Any other name means something beside whoever gave it: the structure in indirect mode, else the issuer. DMP 6.4
        """
        is_national = self.is_patient_side or self.mode in (AuthenticationMode.DIRECT, AuthenticationMode.AIR)
        if self.credentials is None or is_national:
            return self.name
        giver = self.structure if self.mode is AuthenticationMode.INDIRECT else self.credentials.issuer
        return f"{giver}\n{self.name}"

    @property
    def profession(self) -> Code | None:
        """The first role."""
        return self.roles[0] if self.roles else None

    @property
    def structure(self) -> str:
        """Struct_IdNat, or the first organisation."""
        return self.organisations[0] if self.organisations else ""


OPEN_CALLER = Caller(name="open", is_open=True)
