"""Rules about several messages over FHIR: which documents are read, replaced, changed. MHD 2:3.65, 3.68; PDSm 3.1."""

from conformance.client.rules.conversation import (
    Conversation,
    Shown,
    changes_as_asked,
    conversation_rule,
    has,
    is_asked_to_change,
)
from conformance.client.rules.rule import expected


def _reads_where_it_was_told(conversation: Conversation) -> Shown:
    known: set[str] = set()
    for one, is_now in conversation.marked():
        known |= set(one.addresses)
        if one.asked_address and one.asked_address not in known and is_now:
            fr, en = "l'adresse d'une pièce trouvée", "the address of an attachment that was found"
            yield one.id, expected(one.asked_address, fr, en, "attachment.url")


def _replaces_what_was_found(conversation: Conversation) -> Shown:
    known: set[str] = set()
    for one, is_now in conversation.marked():
        for target in one.replaced if is_now and one.transaction == "ITI-65" else ():
            if target.rpartition("/")[2] not in known:
                fr, en = "l'adresse d'un document déposé ou trouvé", "the address of a document that was fed or found"
                yield one.id, expected(target, fr, en, "relatesTo.target.reference")
        known |= {entry.entry_uuid for entry in one.found}


def _changes_what_was_found(conversation: Conversation) -> Shown:
    known: set[str] = set()
    for one, is_now in conversation.marked():
        if one.transaction == "PATCH" and is_now and one.patched not in known:
            fr, en = "un document déposé ou trouvé", "a document that was fed or found"
            yield one.id, expected(one.patched, fr, en, "URL")
        known |= {name for entry in one.found for name in (entry.entry_uuid, entry.unique_id)}
        known |= {document.unique_id for document in one.documents}


RULES = (
    conversation_rule(
        "FHIR-10", lambda one: any(trace.replaced for trace in one.of("ITI-65")), _replaces_what_was_found
    ),
    conversation_rule("FHIR-14", has("ITI-68"), _reads_where_it_was_told),
    conversation_rule("FHIR-22", has("PATCH"), _changes_what_was_found),
    conversation_rule("FHIR-23", is_asked_to_change("PATCH"), changes_as_asked("PATCH", "body")),
)
