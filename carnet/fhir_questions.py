"""What a FHIR search asks: parameters of the URL, and of a form with POST. FHIR R4 3.1.1.1."""

from urllib.parse import parse_qsl

import flask

from carnet.fhir_bodies import read_body, sent_type
from carnet.fhir_formats import FORM_PARAMETERS
from fhir_facade.operation_outcome import FhirProblem

_FORM = "application/x-www-form-urlencoded"
_LARGEST_FORM, _MOST_FIELDS = 10**6, 1000
Parameters = list[tuple[str, str]]


def is_form() -> bool:
    """Whether a POST is a search by what it sends: a form, or nothing beside the parameters of its URL. PDSm 5.2"""
    request = flask.request
    return sent_type()[0] == _FORM or (not request.content_length and bool(request.query_string))


def question() -> tuple[str, Parameters]:
    """The search as it came, request line and body, and its parameters. MHD 2:3.67.5.1

    What of a form is asked of every request, such as `_format`, counts as if the URL said it. Raises FhirProblem 400,
    413 and 415.
    """
    request = flask.request
    query = request.query_string.decode("utf-8", "replace")
    line = f"{request.method} {request.path}{'?' if query else ''}{query}"
    form = _form() if request.method == "POST" else ""
    fields = _fields(form)
    flask.g.setdefault(FORM_PARAMETERS, dict(fields))
    return f"{line}\n\n{form}" if form else line, [*request.args.items(multi=True), *fields]


def _form() -> str:
    octets = read_body(most=_LARGEST_FORM)
    if octets and sent_type()[0] != _FORM:
        raise FhirProblem(415, "not-supported", f"expected the parameters of a search as {_FORM}")
    return octets.decode("utf-8", "replace")


def _fields(form: str) -> Parameters:
    try:
        return parse_qsl(form, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise FhirProblem(400, "too-costly", f"expected at most {_MOST_FIELDS} parameters") from None
