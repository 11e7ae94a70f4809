"""Why bytes are no CDA document, in French and English: the reader's own reasons and those of its XML parser.

A parser has English words alone. Those of its errors that a document without a document type can cause have a row
here; none of them repeats what the document says.
"""

from collections.abc import Mapping
from xml.parsers import expat
from xml.parsers.expat import errors

from cda.findings import Text
from xds.failure import Failure


class UnreadableDocument(Failure):
    """Bytes that are no CDA document. `reason` says why; `line` (from 1) and `column` (from 1) where, 0 when unknown.

    As a text it is one English sentence.
    """

    def __init__(self, reason: Text, *, line: int = 0, column: int = 0) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(f"The document {reason.english}{self._place('line', 'column')}.")

    def _place(self, line: str, column: str) -> str:
        return f" ({line} {self.line}, {column} {self.column})" if self.line else ""

    @property
    def sentence(self) -> Text:
        """The same sentence in both languages."""
        place = self._place("ligne", "colonne")
        return Text(french=f"le document {self.reason.french}{place}.", english=str(self))


def too_large(size: int, most: int) -> UnreadableDocument:
    """More bytes than are read."""
    return _because(
        f"a {size} octets ; au plus {most} sont lus",
        f"has {size} bytes; at most {most} are read",
    )


def other_root(found: str, expected: str) -> UnreadableDocument:
    """A document element that no CDA document has."""
    return _because(
        f"a pour élément racine {found} ; un ClinicalDocument de {expected} était attendu",
        f"has the root element {found}; a ClinicalDocument of {expected} was expected",
    )


def no_document_inside(found: str, expected: str) -> UnreadableDocument:
    """A style sheet or signature around nothing."""
    return _because(
        f"n’a pas de ClinicalDocument de {expected} dans {found}",
        f"has no ClinicalDocument of {expected} inside {found}",
    )


def too_deep(most: int, line: int, column: int) -> UnreadableDocument:
    """More elements one inside another than are read."""
    text = Text(
        french=f"a plus de {most} éléments imbriqués",
        english=f"has elements nested more than {most} deep",
    )
    return UnreadableDocument(text, line=line, column=column)


def document_type() -> UnreadableDocument:
    """A document type declaration, which brings entities."""
    return _because(
        "a une déclaration de type de document (DOCTYPE) ; aucune n’est acceptée",
        "has a document type declaration; none is accepted",
    )


def other_version() -> UnreadableDocument:
    """A version of XML other than 1.0."""
    return _because("n’est pas en XML 1.0", "is not XML 1.0")


def unknown_encoding() -> UnreadableDocument:
    """Bytes in an encoding that the parser does not know."""
    return not_well_formed(_CODES[errors.XML_ERROR_UNKNOWN_ENCODING])


def not_well_formed(code: int = 0, *, line: int = 0, column: int = 0) -> UnreadableDocument:
    """XML that breaks its grammar: the number of an error of expat, 0 when it is none of those."""
    french, english = _REASONS.get(code, _SOME_REASON)
    text = Text(french=f"n’est pas du XML bien formé : {french}", english=f"is not well-formed XML: {english}")
    return UnreadableDocument(text, line=line, column=column)


def refused_by_expat(error: expat.ExpatError) -> UnreadableDocument:
    """What expat found, and where."""
    return not_well_formed(error.code, line=error.lineno, column=error.offset + 1)


def _because(french: str, english: str) -> UnreadableDocument:
    return UnreadableDocument(Text(french=french, english=english))


_SOME_REASON = ("une règle de XML n’est pas respectée", "a rule of XML is broken")
_TEXTS: Mapping[str, tuple[str, str]] = {
    errors.XML_ERROR_SYNTAX: ("erreur de syntaxe, ce n’est pas du XML", "syntax error, this is no XML"),
    errors.XML_ERROR_NO_ELEMENTS: (
        "aucun élément, le fichier est vide ou coupé",
        "no element found, empty or cut short",
    ),
    errors.XML_ERROR_INVALID_TOKEN: (
        "caractère interdit à cette place, ou octets étrangers à l’encodage déclaré",
        "a character not allowed here, or bytes foreign to the declared encoding",
    ),
    errors.XML_ERROR_UNCLOSED_TOKEN: ("balise ou référence non terminée", "an unclosed tag or reference"),
    errors.XML_ERROR_PARTIAL_CHAR: ("caractère coupé en fin de fichier", "a partial character at the end"),
    errors.XML_ERROR_TAG_MISMATCH: (
        "balise fermante qui ne correspond pas à la balise ouverte",
        "an end tag that does not match the open one (mismatched tag)",
    ),
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: ("attribut présent deux fois", "an attribute stands twice"),
    errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: (
        "contenu après la fin de l’élément racine",
        "something follows the document element",
    ),
    errors.XML_ERROR_UNDEFINED_ENTITY: ("entité non définie", "an undefined entity"),
    errors.XML_ERROR_BAD_CHAR_REF: ("référence à un caractère interdit", "a reference to an invalid character"),
    errors.XML_ERROR_MISPLACED_XML_PI: (
        "déclaration XML ailleurs qu’au tout début du fichier",
        "an XML declaration that is not at the very start of the file",
    ),
    errors.XML_ERROR_UNKNOWN_ENCODING: ("encodage inconnu", "an unknown encoding"),
    errors.XML_ERROR_INCORRECT_ENCODING: (
        "encodage déclaré différent de celui du fichier",
        "a declared encoding that is not that of the file",
    ),
    errors.XML_ERROR_UNCLOSED_CDATA_SECTION: ("section CDATA non fermée", "an unclosed CDATA section"),
    errors.XML_ERROR_UNBOUND_PREFIX: ("préfixe d’espace de noms non déclaré", "an unbound namespace prefix"),
    errors.XML_ERROR_UNDECLARING_PREFIX: (
        "préfixe d’espace de noms déclaré vide",
        "a namespace prefix declared as empty",
    ),
    errors.XML_ERROR_XML_DECL: ("déclaration XML mal formée", "an XML declaration that is not well-formed"),
    errors.XML_ERROR_RESERVED_PREFIX_XML: ("préfixe « xml » redéfini", "the prefix 'xml' bound anew"),
    errors.XML_ERROR_RESERVED_PREFIX_XMLNS: ("préfixe « xmlns » redéfini", "the prefix 'xmlns' bound anew"),
    errors.XML_ERROR_RESERVED_NAMESPACE_URI: (
        "espace de noms réservé lié à un autre préfixe",
        "a reserved namespace bound to another prefix",
    ),
}
_CODES: Mapping[str, int] = errors.codes
_REASONS: Mapping[int, tuple[str, str]] = {_CODES[message]: texts for message, texts in _TEXTS.items()}
