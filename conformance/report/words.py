"""What the page says of itself, in French and English."""

from html import escape

from conformance.judgement import Verdict
from conformance.report.shown import visible
from conformance.requirements import Actor, Level, Way

Words = tuple[str, str]

VERDICTS: dict[Verdict, Words] = {
    Verdict.PASSED: ("réussi", "passed"),
    Verdict.FAILED: ("échoué", "failed"),
    Verdict.NOT_TESTED: ("non testé", "not tested"),
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
    "XDS": ("Registre et entrepôt XDS", "XDS registry and repository"),
    "MHD": ("Interface FHIR (MHD)", "FHIR interface (MHD)"),
    "TD": ("Transactions du DMP", "Transactions of the DMP"),
}


def both(words: Words) -> str:
    """Both languages as HTML; the page shows one of them."""
    french, english = (escape(visible(one)) for one in words)
    return f'<span lang="fr">{french}</span><span lang="en">{english}</span>'


def text(value: str) -> str:
    """Anything from outside, as text of the page."""
    return escape(visible(value))
