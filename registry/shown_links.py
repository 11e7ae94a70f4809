"""Which associations the FHIR rendering of an object shows."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from registry.sql import objects
from xds.metadata import Association, DocumentEntry, RegistryObject
from xds.metadata_json import from_json
from xds.vocabulary import AssociationType, AvailabilityStatus


def approved(links: Iterable[bytes]) -> list[Association]:
    found = [from_json(Association, link) for link in links]
    return [one for one in found if one.availability_status is AvailabilityStatus.APPROVED]


def shown_links(
    thing: RegistryObject, links: Sequence[Association], associations: Collection[str]
) -> list[Association]:
    """Of a document its relationships; of a SubmissionSet or Folder its documents and folders, no associations."""
    if isinstance(thing, DocumentEntry):
        return list(links)
    members = (one for one in links if one.association_type is AssociationType.HAS_MEMBER)
    return [one for one in members if one.target not in associations]


def associations_among(connection: Connection, links: Iterable[Association]) -> set[str]:
    """Members that are associations themselves. ITI TF-3: 4.2.2.1

    SubmissionSetStatus does not tell: senders write it on memberships of every kind.
    """
    members = {one.target for one in links if one.association_type is AssociationType.HAS_MEMBER}
    return objects.associations_among(connection, members)
