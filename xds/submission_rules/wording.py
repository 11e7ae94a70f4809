"""How the rules speak of an object."""

from xds.ebrim.attributes import TABLES
from xds.metadata import RegistryObject


def named(thing: RegistryObject) -> str:
    """What the object is and its entryUUID."""
    return f"{TABLES[type(thing)].name} {thing.entry_uuid}"
