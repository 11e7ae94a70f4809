"""Rules of a submission, as generators that yield every violation. ITI TF-2: 3.42.4.1.3, ITI TF-3: 4.2.

Three stages: the objects by themselves, the references between them, and the state of the registry
(`StoredFacts`, read by the registry beforehand). The numbers D, S, F, A, T name the rules in
`docs/generated/rules.md`.
"""

from xds.submission_rules.association_ends import snapshot_rules
from xds.submission_rules.facts import StoredFacts, StoredObject
from xds.submission_rules.objects import Unreadable, object_rules
from xds.submission_rules.references import reference_rules
from xds.submission_rules.state import same_document_rules, state_rules
from xds.submission_rules.wording import named

__all__ = [
    "StoredFacts",
    "StoredObject",
    "Unreadable",
    "named",
    "object_rules",
    "reference_rules",
    "same_document_rules",
    "snapshot_rules",
    "state_rules",
]
