"""What the rules of a decision say, in French and English; a rule is known by what stands before its first mark."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """The question of one rule."""

    french: str
    english: str


_REASONS = {
    "caller.open": ("serveur ouvert : personne n'est interrogé", "open server: nobody is asked"),
    "caller.air": ("l'AIR est ouverte à la structure", "AIR is enabled for the structure"),
    "caller.patient": ("l'assertion désigne un patient", "the assertion names a patient"),
    "caller.blocked": ("le professionnel n'est pas bloqué", "the professional is not blocked"),
    "caller.actor": ("la qualité du demandeur est connue des matrices", "the tables know the quality of the caller"),
    "record": ("le dossier est ouvert", "the record is open"),
    "right": ("le droit fonctionnel", "the functional right"),
    "pharmacy": ("le droit du pharmacien, pour un employé de la pharmacie", "the pharmacist's right, for an employee"),
    "authorisation": ("le titulaire a autorisé la lecture", "the holder authorised reading"),
    "opposition": ("le titulaire ne s'est pas opposé à ce mode d'accès", "the holder did not oppose this access mode"),
    "consent": ("le titulaire y consent expressément", "the holder consents expressly"),
    "holder": ("le titulaire, ou qui le représente", "the holder, or who represents the holder"),
    "document.own": ("le document est celui du demandeur", "the document is the caller's own"),
    "document.signature": ("ce n'est pas la signature d'un lot", "it is not the signature of a submission"),
    "matrix.no_column": ("la profession a une colonne dans la matrice", "the profession has a column in the matrix"),
    "matrix": ("la matrice d'habilitation ouvre ce type", "the habilitation matrix opens this type"),
    "policy": ("domaine sans dossiers", "a domain without records"),
    "default": ("rien ne l'autorise", "nothing allows it"),
}


def reason_of(rule: str) -> Reason:
    """The most particular one that is known."""
    parts = re.split(r"[:/]", rule, maxsplit=1)[0]
    french, english = _REASONS.get(parts) or _REASONS.get(parts.partition(".")[0], (rule, rule))
    return Reason(french=french, english=english)
