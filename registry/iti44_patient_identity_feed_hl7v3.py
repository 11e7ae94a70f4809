"""Patient Identity Feed HL7 v3 [ITI-44]: what ITI-8 does, in XML. ITI TF-2: 3.44."""

from collections.abc import Sequence

from lxml import etree

from access_policy.caller import Caller
from audit.record import Action
from hl7v3.acknowledgement import TypeCode, write_acknowledgement
from hl7v3.identity_feed import IdentityFeed, Interaction, read_identity_feed
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, Transmission, read_transmission
from registry import patients
from registry.patients import Source
from registry.store import Registry
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.identifiers import is_oid

TRANSACTION = "ITI-44"
_ACTIONS = {Interaction.ADDED: "C", Interaction.REVISED: "U"}


class _Refused(Exception):
    def __init__(self, details: Sequence[Detail]) -> None:
        super().__init__()
        self.details = tuple(details)


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`hl7:PRPA_IN2013nnUV02` -> `hl7:MCCI_IN000002UV01`. ITI TF-2: 3.44.4.1.3

    CA: done. CR: not a message of this exchange. CE: one that cannot be carried out, nothing changed.
    """
    transmission, feed = read_transmission(body), read_identity_feed(body)
    if transmission.details or feed.details:
        return _answer(registry, transmission, TypeCode.REJECTED, [*transmission.details, *feed.details])
    try:
        source = Source(transaction=TRANSACTION, caller=caller, message=_text(transmission.message_id))
        registry.units.write(lambda unit: handle(registry, unit, feed, source))
    except _Refused as refused:
        return _answer(registry, transmission, TypeCode.ERROR, refused.details)
    except Rejected as refused:
        return _answer(registry, transmission, TypeCode.ERROR, [_detail(one) for one in refused.errors])
    except StorageFailed:
        text = "the registry could not store the change; send the message again"
        return _answer(registry, transmission, TypeCode.ERROR, [Detail(code=DetailCode.INTERNAL, text=text)])
    return _answer(registry, transmission, TypeCode.ACCEPTED)


def handle(registry: Registry, unit: UnitOfWork, feed: IdentityFeed, source: Source) -> None:
    """Carry out one message. Raises Rejected or a refusal of the identifiers, nothing changed.

    A patient of whom every identifier is another domain's is none of ours. ITI TF-2: 3.44.4.1.4
    """
    if feed.interaction is not Interaction.MERGED and _are_foreign(feed.patient, registry.domain):
        action = Action(_ACTIONS[feed.interaction])
        patients.record_unchanged(registry, unit, (), source, action=action)
        return
    own = _own(feed.patient, registry.domain, "patient/id")
    if feed.interaction is not Interaction.MERGED:
        patients.make_known(registry, unit, own, source, action=_ACTIONS[feed.interaction])
        return
    prior = _own(feed.prior, registry.domain, "priorRegisteredRole/id")
    surviving, subsumed = _single(own, "patient/id"), _single(prior, "priorRegisteredRole/id")
    patients.merge(registry, unit, subsumed=subsumed, surviving=surviving, source=source)


def _are_foreign(ids: Sequence[InstanceIdentifier], domain: AffinityDomain) -> bool:
    whole = [one for one in ids if one.extension and is_oid(one.root)]
    return bool(whole) and not any(domain.is_assigned_by(one.root) for one in whole)


def _own(ids: Sequence[InstanceIdentifier], domain: AffinityDomain, location: str) -> tuple[CX, ...]:
    """The identifiers of the affinity domain, each once; those of other domains are not ours to keep."""
    found = [
        CX.of(id=one.extension, authority=one.root)
        for one in ids
        if one.extension and is_oid(one.root) and domain.is_assigned_by(one.root)
    ]
    if not found:
        expected = ", ".join(sorted(domain.assigning_authorities)) or "any OID"
        text = f"{location}: found no identifier of the affinity domain, expected one with the root {expected}"
        raise _Refused([Detail(code=DetailCode.UNKNOWN_KEY, text=text, location=location)])
    return tuple({one.key: one for one in found}.values())


def _single(patient_ids: tuple[CX, ...], location: str) -> CX:
    if len(patient_ids) != 1:
        text = f"{location}: found {len(patient_ids)} identifiers of the affinity domain, expected exactly one"
        raise _Refused([Detail(code=DetailCode.SYNTAX, text=text, location=location)])
    return patient_ids[0]


# Where `registry.patients` found it -> place in the message.
_LOCATIONS = {
    "patient": "patient/id",
    "surviving patient": "patient/id",
    "subsumed patient": "priorRegisteredRole/id",
}


def _detail(found: RegistryError) -> Detail:
    code = DetailCode.UNKNOWN_KEY if found.code is ErrorCode.UNKNOWN_PATIENT_ID else DetailCode.SYNTAX
    return Detail(code=code, text=found.context, location=_LOCATIONS.get(found.location, ""))


def _text(identifier: InstanceIdentifier | None) -> str:
    return "" if identifier is None else f"{identifier.root} {identifier.extension}".strip()


def _answer(
    registry: Registry, transmission: Transmission, type_code: TypeCode, details: Sequence[Detail] = ()
) -> bytes:
    return write_acknowledgement(transmission, type_code, details, now=registry.now())
