"""What decides about one stored document, read from its columns as the filter of the policy reads them."""

from sqlalchemy import Connection, or_, select

from access_policy.document_facts import DocumentFacts, Trait
from registry.sql import identities
from registry.sql.lists import one_of
from registry.sql.tables import KINDS, STATUS_OF, VALUE_ATTRIBUTES, object_value, registry_object
from xds.metadata import DocumentEntry

_o, _v = registry_object.c, object_value.c


def facts_of_document(connection: Connection, identifier: str, patient: str) -> DocumentFacts | None:
    """The document with this entryUUID, or the newest version with this uniqueId, of the patient with this CX key."""
    owner = identities.patient_key(connection, patient)
    places = [key for key in identities.object_keys_of(connection, [identifier]).get(identifier, ()) if key[0] == owner]
    if not places:
        return None
    statement = (
        select(_o.object_key, _o.type_code, _o.status, _o.traits, _o.visible_from)
        .where(_o.patient_key == owner, _o.kind == KINDS[DocumentEntry])
        .where(or_(one_of(_o.object_key, [key for _, key in places]), _o.unique_id == identifier))
        .order_by(_o.is_current.desc())
    )
    row = connection.execute(statement.limit(1)).one_or_none()
    if row is None:
        return None
    values = connection.execute(
        select(_v.attribute, _v.value).where(_v.patient_key == owner, _v.object_key == row.object_key)
    ).all()
    return DocumentFacts(
        type=row.type_code or "",
        status=STATUS_OF[row.status],
        traits=Trait(row.traits),
        visible_from=row.visible_from or "",
        authors=frozenset(one.value for one in values if one.attribute == VALUE_ATTRIBUTES["author_id"]),
        structures=frozenset(one.value for one in values if one.attribute == VALUE_ATTRIBUTES["structure_id"]),
    )
