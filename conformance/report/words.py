"""What the page says of itself, in French and English."""

from html import escape

from conformance.judgement import Verdict
from conformance.report.shown import visible
from conformance.requirements import Actor, Level, Way

Words = tuple[str, str]

VERDICTS: dict[Verdict, Words] = {
    Verdict.PASSED: ("conforme", "passed"),
    Verdict.FAILED: ("non conforme", "failed"),
    Verdict.NOT_TESTED: ("non testé", "not tested"),
}
# How many requirements, in the summary: one, several.
COUNTED: dict[Verdict, tuple[Words, Words]] = {
    Verdict.PASSED: (("exigence conforme", "requirement passed"), ("exigences conformes", "requirements passed")),
    Verdict.FAILED: (
        ("exigence non conforme", "requirement failed"),
        ("exigences non conformes", "requirements failed"),
    ),
    Verdict.NOT_TESTED: (
        ("exigence non testée", "requirement not tested"),
        ("exigences non testées", "requirements not tested"),
    ),
}
# A verdict is told by its shape and its word too, never by colour alone.
SIGNS = {Verdict.PASSED: "✔", Verdict.FAILED: "✘", Verdict.NOT_TESTED: "○"}
TITLES: dict[Actor, Words] = {
    Actor.CLIENT: ("Conformité d'un logiciel client", "Conformance of a client"),
    Actor.SERVER: ("Conformité d'un serveur", "Conformance of a server"),
}
LEVELS: dict[Level, Words] = {
    Level.SHALL: ("obligatoire (SHALL)", "mandatory (SHALL)"),
    Level.SHOULD: ("recommandé (SHOULD)", "recommended (SHOULD)"),
}
WAYS: dict[Way, Words] = {
    Way.MESSAGE: ("sur chaque message", "on each message"),
    Way.CONVERSATION: ("sur la suite des messages", "on the order of messages"),
    Way.MANUAL: ("par une personne", "by a person"),
    Way.NIST: ("par les essais NIST XDS", "by tests of the NIST XDS kit"),
    Way.FHIR: ("par les essais FHIR", "by the FHIR tests"),
    Way.PROBE: ("par un essai du kit", "by a probe of the kit"),
}
TOPICS: dict[str, Words] = {
    "TLS": ("Connexion TLS", "TLS connection"),
    "SOAP": ("Messages SOAP", "SOAP messages"),
    "MTOM": ("Transport des documents (MTOM)", "Transport of documents (MTOM)"),
    "VIHF": ("Identité et contexte (VIHF)", "Identity and context (VIHF)"),
    "META": ("Métadonnées", "Metadata"),
    "CDA": ("Documents CDA", "CDA documents"),
    "SIGN": ("Signature du lot", "Signature of the submission"),
    "QRY": ("Recherche", "Search"),
    "RET": ("Consultation de documents", "Retrieval of documents"),
    "UPD": ("Mise à jour", "Update"),
    "ADM": ("Administration du dossier", "Administration of the record"),
    "ORDER": ("Enchaînement", "Order of messages"),
    "ERR": ("Conduite en cas d'erreur", "Behaviour on errors"),
    "FHIR": ("Interface FHIR (MHD, PDSm)", "FHIR interface (MHD, PDSm)"),
    "XDS": ("Registre et entrepôt XDS", "XDS registry and repository"),
    "MHD": ("Interface FHIR (MHD)", "FHIR interface (MHD)"),
    "TD": ("Transactions du DMP", "Transactions of the DMP"),
}


# Settings of a run by the last part of their names.
SETTINGS: dict[str, Words] = {
    "registry": ("Registre", "Registry"),
    "repository": ("Entrepôt", "Repository"),
    "patients": ("Service des patients", "Service of patients"),
    "patients_pdq": ("Recherche de patients", "Search of patients"),
    "patients_specific": ("Listes et comptes des patients", "Lists and accounts of patients"),
    "habilitations": ("Service des habilitations", "Service of authorisations"),
    "base": ("Adresse FHIR", "FHIR base"),
}
# What the sources of requirements say of themselves.
_CONFIDENCE = (("(second-hand)", "(rapporté par des éditeurs)"), ("wire:", "observé dans les messages :"))


def setting(name: str) -> Words:
    """How a setting is called; its own name when it has no other."""
    section, _, last = name.rpartition(".")
    french, english = SETTINGS.get(last, (name, name))
    return (f"{french} ({section})", f"{english} ({section})") if section and last in SETTINGS else (french, english)


def source(value: str) -> Words:
    """The source of a requirement; in French, how sure it is too."""
    french = value
    for old, new in _CONFIDENCE:
        french = french.replace(old, new)
    return french, value


def both(words: Words) -> str:
    """Both languages as HTML; the page shows one of them."""
    french, english = (escape(visible(one)) for one in words)
    return f'<span lang="fr">{french}</span><span lang="en">{english}</span>'


def text(value: str) -> str:
    """Anything from outside, as text of the page."""
    return escape(visible(value))
