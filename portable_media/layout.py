"""Names on a medium: what lies where, in names every file system can carry. ITI TF-2: 3.32.4.1.2.

Names keep to eight upper case letters, digits and underscores, a dot and three more (ISO 9660 level 1).
"""

from xds.identifiers import UUID_PREFIX
from xds.xml import XmlLimits

README = "README.TXT"
INDEX = "INDEX.HTM"
FOLDER = "IHE_XDM"
METADATA = "METADATA.XML"
VERSIONS = "CARNET/VERSIONS.XML"
# A record of many years under one SubmissionSet, or every version of its metadata: eight times a message.
METADATA_LIMITS = XmlLimits(octets=64 * 2**20, elements=4_000_000)

# Slot that keeps the URI an entry had before its URI became the name of a file on the medium.
URI_BEFORE = f"{UUID_PREFIX}5f1d6c0e-3a55-4c02-9f0c-8d8f3c5f6e21"

_EXTENSIONS = {
    "text/xml": "XML",
    "application/xml": "XML",
    "application/hl7-v3+xml": "XML",
    "application/fhir+xml": "XML",
    "application/pdf": "PDF",
    "text/plain": "TXT",
    "text/html": "HTM",
    "text/rtf": "RTF",
    "application/rtf": "RTF",
    "image/jpeg": "JPG",
    "image/png": "PNG",
    "image/tiff": "TIF",
    "application/dicom": "DCM",
    "application/zip": "ZIP",
}
_COMPRESSED_ALREADY = frozenset({"PDF", "JPG", "PNG", "ZIP", "DCM"})


def subset_folder(number: int, *, among: int) -> str:
    """Folder of a SubmissionSet, counted from 1: SUBSET01 to SUBSET99, SUB00001 and so on where there are more."""
    name = f"SUBSET{number:02}" if among < 100 else f"SUB{number:05}"
    return f"{FOLDER}/{name}"


def document_name(number: int, mime_type: str) -> str:
    """File name of a document inside its folder, counted from 1."""
    extension = _EXTENSIONS.get(mime_type.partition(";")[0].strip().lower(), "BIN")
    return f"DOC{number:05}.{extension}"


def is_worth_compressing(name: str) -> bool:
    """Whether deflating the octets of a document saves room."""
    return name.rpartition(".")[2] not in _COMPRESSED_ALREADY
