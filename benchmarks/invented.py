"""Invented people, places and kinds of documents: what the data set is drawn from. Nobody and nothing here exists.

Every family name begins with ESSAI, every professional and structure has an identifier of the ranges
that are not assigned.
"""

from dataclasses import dataclass

FAMILY_NAMES = (
    *("ABALAIN", "BERTHEVAS", "CADOREL", "DELAUNOY", "ESTREVAL", "FALGUIÈRES", "GARANCHON", "HÉLIARD", "ISNARDON"),
    *("JOUVENCEAU", "KERMORVAN", "LABRUGÈRE", "MALVOISIN", "NÉRAUDAT", "ORSONNEAU", "PÉLERIN", "QUÉMENEUR", "ROUVRAY"),
    *("SAVIGNOL", "TRÉMOUILLE", "URVALEK", "VAUCELLE", "WILLEMART", "XAINTRAY", "YVONNET", "ZIEGELMEYER"),
)
GIVEN_NAMES = {
    "F": (
        *("ADÈLE", "BÉRÉNICE", "CLÉMENCE", "DELPHINE", "ÉLOÏSE", "FLORE", "GARANCE", "HÉLÈNE", "INÈS", "JULIETTE"),
        *("KARINE", "LÉONIE", "MAËLLE", "NADÈGE", "OCÉANE", "PERRINE", "ROZENN", "SOLÈNE", "TIPHAINE", "YSEULT"),
    ),
    "M": (
        *("ANATOLE", "BASTIEN", "CYPRIEN", "DAMIEN", "ERWAN", "FLORENT", "GAËTAN", "HIPPOLYTE", "ISMAËL", "JOACHIM"),
        *("KILLIAN", "LÉONARD", "MARTIAL", "NOÉ", "OCTAVE", "PHILÉMON", "RAYAN", "SYLVAIN", "TUGDUAL", "YANNIS"),
    ),
}
STREETS = (
    *("Rue du Lavoir Imaginaire", "Allée des Fictions", "Place du Puits Inventé", "Chemin des Exemples"),
    *("Avenue de l'Hypothèse", "Impasse du Brouillon", "Quai des Essais", "Boulevard des Suppositions"),
)
TOWNS = (
    *(("35999", "SAINT-ESSAI"), ("69999", "VILLEFICTIVE"), ("33999", "PORT-EXEMPLE"), ("59999", "BOURG-MODÈLE")),
    *(("13999", "LA MAQUETTE"), ("67999", "MUSTERHEIM"), ("44999", "BREF-SUR-TEST"), ("31999", "CASTEL-BROUILLON")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A kind of structure: healthcareFacilityTypeCode, practiceSettingCode, how many there are, their names."""

    facility: str
    setting: str
    number: int
    names: tuple[str, ...]


PLACES = {
    "hospital": Place(
        facility="SA01",
        setting="ETABLISSEMENT",
        number=30,
        names=("Centre hospitalier", "Centre hospitalier universitaire", "Hôpital local"),
    ),
    "clinic": Place(
        facility="SA04", setting="ETABLISSEMENT", number=40, names=("Clinique", "Polyclinique", "Hôpital privé")
    ),
    "practice": Place(
        facility="SA07", setting="AMBULATOIRE", number=200, names=("Cabinet médical", "Cabinet du docteur")
    ),
    "health centre": Place(
        facility="SA52", setting="AMBULATOIRE", number=60, names=("Maison de santé", "Pôle de santé")
    ),
    "laboratory": Place(
        facility="SA25", setting="AMBULATOIRE", number=40, names=("Laboratoire de biologie", "Biologie médicale")
    ),
    "pharmacy": Place(facility="SA33", setting="AMBULATOIRE", number=120, names=("Pharmacie", "Grande pharmacie")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKind:
    """One kind of document: how frequent, typeCode, formatCode, where it is written, contentTypeCode, event, title."""

    weight: int
    type_code: str
    format_code: str
    places: tuple[str, ...]
    content_type: str
    event: tuple[str, str, str] | None
    title: str


_PDF = "urn:ihe:iti:xds-sd:pdf:2008"
_ACT_CODE, _CCAM = "2.16.840.1.113883.5.4", "1.2.250.1.213.2.5"
_AMBULATORY = ("AMB", _ACT_CODE, "Ambulatoire (hors établissement)")
_INPATIENT = ("IMP", _ACT_CODE, "Hospitalisation (établissement, y compris HAD)")
_EMERGENCY = ("EMER", _ACT_CODE, "Urgences")
_HOSPITALS = ("hospital", "hospital", "clinic")
_TOWN = ("practice", "practice", "health centre")


def _kind(
    weight: int,
    type_code: str,
    format_code: str,
    places: tuple[str, ...],
    content_type: str,
    event: tuple[str, str, str] | None,
    title: str,
) -> DocumentKind:
    return DocumentKind(
        weight=weight,
        type_code=type_code,
        format_code=format_code,
        places=places,
        content_type=content_type,
        event=event,
        title=title,
    )


DOCUMENT_KINDS = (
    _kind(30, "11502-2", "urn:ihe:lab:xd-lab:2008", ("laboratory",), "26", None, "Compte rendu d'examens biologiques"),
    _kind(16, "57833-6", _PDF, _TOWN, "07", _AMBULATORY, "Ordonnance de produits de santé"),
    _kind(12, "11488-4", _PDF, (*_TOWN, "hospital"), "07", _AMBULATORY, "Compte rendu de consultation"),
    _kind(
        *(10, "18748-4", _PDF, (*_HOSPITALS, "practice"), "09"),
        event=("ZBQK002", _CCAM, "Radiographie du thorax"),
        title="Compte rendu d'imagerie médicale",
    ),
    _kind(
        *(8, "11490-0", "urn:asip:ci-sis:ldl-ses:2017", _HOSPITALS, "03", _INPATIENT),
        title="Lettre de liaison à la sortie de l'établissement de santé",
    ),
    _kind(6, "60593-1", "urn:ihe:pharm:dis:2010", ("pharmacy",), "07", None, "Dispensation médicamenteuse"),
    _kind(4, "34112-3", _PDF, _HOSPITALS, "03", _INPATIENT, "Compte rendu d'hospitalisation"),
    _kind(4, "15507-7", _PDF, ("hospital",), "07", _EMERGENCY, "Compte rendu de passage aux urgences"),
    _kind(
        *(3, "34874-8", _PDF, _HOSPITALS, "08"),
        event=("HFFC004", _CCAM, "Cholécystectomie, par cœlioscopie"),
        title="Compte rendu opératoire",
    ),
    _kind(2, "87273-9", "urn:asip:ci-sis:vac-note:2021", _TOWN, "07", _AMBULATORY, "Note de vaccination"),
    _kind(2, "60591-5", "urn:asip:ci-sis:vsm:2012", _TOWN, "07", None, "Volet de synthèse médicale"),
    _kind(2, "96349-6", _PDF, _TOWN, "07", _AMBULATORY, "Lettre d'adressage à un confrère"),
    _kind(1, "77436-4", "urn:asip:ci-sis:cr-anest:2020", _HOSPITALS, "08", _INPATIENT, "Compte rendu d'anesthésie"),
)
SPECIALTIES = {
    "hospital": ("G15_10/SM04", "Médecin - Cardiologie et maladies vasculaires (SM)"),
    "clinic": ("G15_10/SM05", "Médecin - Chirurgie générale (SM)"),
    "practice": ("G15_10/SM26", "Médecin - Qualifié en Médecine Générale (SM)"),
    "health centre": ("G15_10/SM26", "Médecin - Qualifié en Médecine Générale (SM)"),
    "laboratory": ("G15_10/SM03", "Médecin - Biologie médicale (SM)"),
    "pharmacy": ("G15_21", "Pharmacien"),
}
SPECIALTY_SYSTEM = "1.2.250.1.213.1.1.4.5"
# confidentialityCode -> how many of a hundred documents
CONFIDENTIALITY = {"N": 93, "R": 6, "V": 1}
COMMENTS = (
    "Document rectificatif à la demande du service.",
    "Transmis au médecin traitant.",
    "Résultats partiels, complément à venir.",
)
