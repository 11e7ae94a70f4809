"""What the schema says of a document, in French and English: the messages of libxml2 put into our words.

What stands in the document is told apart from what is expected: it may name a patient. W3C XML Schema 1.0, Annex C.
"""

import re

from cda.findings import Text

_ELEMENT = r"Element '(?P<element>[^']*)'"
_ATTRIBUTE = r"(?:, attribute '(?P<attribute>[^']*)')?: "
_WANTED = r"Expected is (?:one of )?\( (?P<wanted>.*) \)\.$"
_Row = tuple[re.Pattern[str], str, str, str]

# Message of libxml2; what was expected, in French and English; what was found.
_WORDS: tuple[_Row, ...] = (
    (
        re.compile(_ELEMENT + r": This element is not expected\. " + _WANTED),
        "ici, un élément parmi : {wanted}",
        "here, one of the elements: {wanted}",
        "<{element}>",
    ),
    (
        re.compile(_ELEMENT + r": This element is not expected\.$"),
        "aucun élément {element} à cette place",
        "no element {element} in this place",
        "<{element}>",
    ),
    (
        re.compile(_ELEMENT + r": Missing child element\(s\)\. " + _WANTED),
        "dans {element}, encore un élément parmi : {wanted}",
        "in {element}, one more of the elements: {wanted}",
        "",
    ),
    (
        re.compile(_ELEMENT + _ATTRIBUTE + r"The attribute '(?P<name>[^']*)' is not allowed\.$"),
        "aucun attribut @{name} sur {element}",
        "no attribute @{name} on {element}",
        "@{name}",
    ),
    (
        re.compile(_ELEMENT + _ATTRIBUTE + r"The attribute '(?P<name>[^']*)' is required but missing\.$"),
        "l'attribut @{name} sur {element}",
        "the attribute @{name} on {element}",
        "",
    ),
    (
        re.compile(
            _ELEMENT + _ATTRIBUTE + r"\[facet 'enumeration'\] The value '(?P<value>.*)' is not an element of the set "
            r"\{(?P<wanted>.*)\}\.$",
            re.DOTALL,
        ),
        "{place} parmi : {wanted}",
        "{place} one of: {wanted}",
        "{value}",
    ),
    (
        re.compile(
            _ELEMENT + _ATTRIBUTE + r"\[facet 'pattern'\] The value '(?P<value>.*)' is not accepted by the pattern "
            r"'(?P<wanted>.*)'\.$",
            re.DOTALL,
        ),
        "{place} de la forme {wanted}",
        "{place} of the form {wanted}",
        "{value}",
    ),
    (
        re.compile(
            _ELEMENT + _ATTRIBUTE + r"'(?P<value>.*)' is not a valid value of the (?:local )?(?:\w+ type)"
            r"(?: '(?P<wanted>[^']*)')?\.$",
            re.DOTALL,
        ),
        "{place} de type {wanted}",
        "{place} of type {wanted}",
        "{value}",
    ),
    (
        re.compile(_ELEMENT + _ATTRIBUTE + r"\[facet 'minLength'\] The value '(?P<value>.*?)' has ", re.DOTALL),
        "{place} : une valeur qui n'est pas vide",
        "{place}: a value that is not empty",
        "{value}",
    ),
    (
        re.compile(
            _ELEMENT + _ATTRIBUTE + r"The value '(?P<value>.*)' does not match the "
            r"fixed value constraint '(?P<wanted>.*)'"
        ),
        "{place} vaut « {wanted} »",
        "{place} is '{wanted}'",
        "{value}",
    ),
    (
        re.compile(_ELEMENT + _ATTRIBUTE + r"The QName value '(?P<value>[^']*)' of the xsi:type attribute"),
        "{element}/@xsi:type : un type de données de CDA R2",
        "{element}/@xsi:type: a data type of CDA R2",
        "{value}",
    ),
    (
        re.compile(_ELEMENT + r": The type definition is abstract\."),
        "{element} avec un @xsi:type, type de données de CDA R2",
        "{element} with an @xsi:type, a data type of CDA R2",
        "",
    ),
)


def words(message: str) -> tuple[Text, str]:
    """What is expected, and what was found instead. A message without words of its own is told as it is."""
    for pattern, french, english, found in _WORDS:
        match = pattern.match(message)
        if match is not None:
            said = {key: value or "" for key, value in match.groupdict().items()}
            said["place"] = f"{said['element']}/@{said['attribute']}" if said.get("attribute") else said["element"]
            expected = Text(french=_short(french.format(**said)), english=_short(english.format(**said)))
            return expected, found.format(**said)[:120]
    general = Text(french="un document conforme au schéma CDA R2", english="a document that follows the CDA R2 schema")
    return general, message[:120]


def _short(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:399]}…"
