"""One record for each patient, and for each outcome. ITI TF-2: 3.20.7.1."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from audit.occurrence import Occurrence
from audit.record import Outcome, ParticipantObject


def by_patient(
    occurrence: Occurrence, things: Iterable[ParticipantObject], patients: Mapping[str, str]
) -> tuple[Occurrence, ...]:
    """The occurrence once for each patient of these things, with those that are theirs; none without things.

    `patients` by the id of a thing; things of nobody who is known share an occurrence without patient.
    """
    groups: dict[str, list[ParticipantObject]] = {}
    for thing in things:
        groups.setdefault(patients.get(thing.id, ""), []).append(thing)
    return tuple(replace(occurrence, patient=patient, objects=tuple(group)) for patient, group in groups.items())


def by_outcome(
    occurrence: Occurrence,
    *,
    delivered: Iterable[ParticipantObject],
    failed: Iterable[ParticipantObject],
    patients: Mapping[str, str],
) -> tuple[Occurrence, ...]:
    """What went well as successes, the rest as failures with the outcome and the description of `occurrence`."""
    success = replace(occurrence, outcome=Outcome.SUCCESS, description="")
    return (*by_patient(success, delivered, patients), *by_patient(occurrence, failed, patients))
