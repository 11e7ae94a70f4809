"""Rules of Remove Metadata, as generators, judged on what would be left. Remove Metadata and Documents 3.62.4.1.3.

The numbers X name the rules in `docs/generated/rules.md`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from xds.errors import ErrorCode, RegistryError
from xds.metadata import Association, Folder, RegistryObject, SubmissionSet
from xds.submission_rules import named
from xds.vocabulary import AssociationType


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalFacts:
    """The registry's state as far as one removal touches it.

    `objects` by entryUUID: those asked for, the ends of their associations, and the sources of what
    leads there. `links`: every association with an end among those asked for or at the other end of
    an association asked for.
    """

    objects: Mapping[str, RegistryObject]
    links: tuple[Association, ...]


def removal_rules(asked_for: Collection[str], facts: RemovalFacts) -> Iterator[RegistryError]:
    """X1 to X4: all three checks, whatever the others find; an unknown id counts as not removed."""
    removed = {identifier for identifier in asked_for if identifier in facts.objects}
    for identifier in dict.fromkeys(asked_for):
        if identifier not in removed:
            context = f"ObjectRef {identifier}: found no such object, expected the entryUUID of a stored one"
            yield RegistryError(code=ErrorCode.UNRESOLVED_REFERENCE, context=context, location=identifier)
    left = [link for link in facts.links if link.entry_uuid not in removed]
    yield from _reference_rules(removed, left, facts)
    yield from _orphan_rules(removed, left, facts)


def _reference_rules(removed: set[str], left: Iterable[Association], facts: RemovalFacts) -> Iterator[RegistryError]:
    """X2: no association that stays leads to an object that goes."""
    for link in left:
        for end in (link.source, link.target):
            if end in removed:
                found = f"found {named(link)}, which still refers to it, expected it to be removed too"
                context = f"{named(facts.objects[end])}: {found}"
                yield RegistryError(code=ErrorCode.REFERENCES_EXIST, context=context, location=end)


def _orphan_rules(removed: set[str], left: list[Association], facts: RemovalFacts) -> Iterator[RegistryError]:
    """X3: what stays is still held by a SubmissionSet, and a SubmissionSet still holds something."""
    held = {link.target for link in left if _is_from_submission_set(link, facts)}
    holding = {link.source for link in left}
    ends = {
        end
        for identifier in removed
        if isinstance(link := facts.objects[identifier], Association)
        for end in (link.source, link.target)
    }
    for end in sorted(ends - removed):
        thing = facts.objects.get(end)
        if thing is None:
            continue
        if isinstance(thing, SubmissionSet):
            if end not in holding:
                yield _orphan(thing, "would hold nothing")
        elif _must_be_held(thing, facts) and end not in held:
            yield _orphan(thing, "would be held by no SubmissionSet")


def _is_from_submission_set(link: Association, facts: RemovalFacts) -> bool:
    is_member = link.association_type is AssociationType.HAS_MEMBER
    return is_member and isinstance(facts.objects.get(link.source), SubmissionSet)


def _must_be_held(thing: RegistryObject, facts: RemovalFacts) -> bool:
    """Documents, folders, and the memberships of folders."""
    if not isinstance(thing, Association):
        return True
    is_member = thing.association_type is AssociationType.HAS_MEMBER
    return is_member and isinstance(facts.objects.get(thing.source), Folder)


def _orphan(thing: RegistryObject, reason: str) -> RegistryError:
    context = f"{named(thing)}: found that it {reason} after the removal, expected to be removed too"
    return RegistryError(code=ErrorCode.UNREFERENCED_OBJECT, context=context, location=thing.entry_uuid)
