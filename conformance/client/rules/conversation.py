"""Rules about several messages: order, repetition, what a client does after an error. DMP 7; ITI TF-2: 3.41.4.1.3.

They are judged when a step is done, on the traces of that step and of all before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conformance.client.behaviours import BUSY_SECONDS, HOLD
from conformance.client.exchanges import Problem
from conformance.client.rules.rule import expected
from conformance.client.scenarios import UNTRUSTED, Step
from conformance.client.traces import FAULT, NONE, REFUSED, SUCCESS, UNREADABLE, UNRELATED, Trace

_DUPLICATE = "XDSDuplicateUniqueIdInRegistry"
_MOST_WHILE_BUSY = 2
_READS = ("ITI-18", "ITI-43")
_ON_DOCUMENTS = ("ITI-41", *_READS)
_FEEDINGS = ("ITI-41", "ITI-65")
NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A step that is done: what came in it, what came before, and how many connections a client refused."""

    step: Step
    now: tuple[Trace, ...]
    before: tuple[Trace, ...]
    refused_connections: int = 0

    @property
    def all(self) -> tuple[Trace, ...]:
        return (*self.before, *self.now)

    def marked(self) -> Iterator[tuple[Trace, bool]]:
        """Everything in its order, and whether it came in this step."""
        yield from ((one, False) for one in self.before)
        yield from ((one, True) for one in self.now)

    def of(self, *transactions: str) -> tuple[Trace, ...]:
        return tuple(one for one in self.now if one.transaction in transactions)


# Problems with the id of the message that shows them, empty for none.
Shown = Iterator[tuple[str, Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRule:
    """A requirement judged on a step. Without `proves` messages speak against it alone: a person is asked too."""

    requirement: str
    applies: Callable[[Conversation], bool]
    check: Callable[[Conversation], Shown]
    proves: bool = True


def _refuses_the_server(conversation: Conversation) -> Shown:
    for one in conversation.now:
        yield one.id, expected(one.transaction, "aucun message", "no message", "TLS")


def _message_ids_are_new(conversation: Conversation) -> Shown:
    known = {one.message_id for one in conversation.before}
    for one in conversation.now:
        if one.transaction and (not one.message_id or one.message_id in known):
            yield one.id, expected(one.message_id, "un identifiant nouveau", "a new identifier", "MessageID")
        known.add(one.message_id)


def _assertion_ids_are_of_one(conversation: Conversation) -> Shown:
    known: dict[str, str] = {}
    for one, is_now in conversation.marked():
        digest = known.setdefault(one.assertion, one.assertion_digest)
        if one.assertion and digest != one.assertion_digest and is_now:
            fr, en = "une autre assertion a cet identifiant", "another assertion has this ID"
            yield one.id, Problem(fr=fr, en=en, location="/Assertion/@ID", evidence=one.assertion)


def _existence_was_tested(conversation: Conversation) -> Shown:
    tested: set[str] = set()
    for one, is_now in conversation.marked():
        if one.transaction in ("TD0.2", "TD1.1"):
            tested.add(one.patient)
        elif one.transaction in _ON_DOCUMENTS and one.patient and one.patient not in tested and is_now:
            fr, en = "un test d'existence (TD0.2) auparavant", "an existence test (TD0.2) before"
            yield one.id, expected(one.transaction, fr, en, "")


def _reads_with_authorisation(conversation: Conversation) -> Shown:
    authorised: set[str] = set()
    for one, is_now in conversation.marked():
        if one.authorisation == "VALIDE" or (one.action == "AJOUT" and one.outcome == SUCCESS):
            authorised.add(one.patient)
        reads = one.is_search and one.purpose == NORMAL and is_now
        if reads and one.patient not in authorised:
            fr, en = "une autorisation valide (TD0.2, TD0.3) auparavant", "a valid authorisation (TD0.2, TD0.3) before"
            yield one.id, expected(one.transaction, fr, en, "")


def _adds_itself_only_where_needed(conversation: Conversation) -> Shown:
    last = ""
    for one in conversation.now:
        last = one.authorisation or last
        if one.transaction == "TD0.3" and one.action == "AJOUT" and last == "VALIDE":
            yield one.id, expected("AJOUT", "rien : VALIDE déjà", "nothing: VALIDE already", "setAuthorization/action")


def _asks_for_what_was_found(conversation: Conversation) -> Shown:
    known: set[str] = set()
    for one, is_now in conversation.marked():
        known |= {entry.unique_id for entry in one.found}
        for _repository, unique_id in one.asked_for if is_now else ():
            if unique_id not in known:
                fr, en = "un document qu'une recherche a donné", "a document that a search gave"
                yield one.id, expected(unique_id, fr, en, "DocumentUniqueId")


def _asks_where_it_lies(conversation: Conversation) -> Shown:
    places = {entry.unique_id: entry.repository for one in conversation.all for entry in one.found}
    for one in conversation.now:
        for repository, unique_id in one.asked_for:
            wanted = places.get(unique_id)
            if wanted and wanted != repository:
                yield one.id, expected(repository, wanted, wanted, "RepositoryUniqueId")


def _does_not_search_by_itself(conversation: Conversation) -> Shown:
    has_fed = False
    for one in conversation.now:
        if has_fed and one.is_search:
            yield one.id, expected(one.transaction, "rien après un dépôt", "nothing after a feeding", "")
        has_fed = has_fed or (one.transaction in _FEEDINGS and one.outcome == SUCCESS)


def _uses_the_purpose_of_the_step(conversation: Conversation) -> Shown:
    for one in conversation.now:
        if one.purpose == "bris_de_glace" != conversation.step.purpose:
            wanted = conversation.step.purpose
            yield one.id, expected(one.purpose, wanted, wanted, "PurposeOfUse")
    if conversation.step.purpose == "bris_de_glace" and not any(
        one.purpose == "bris_de_glace" for one in conversation.now
    ):
        yield "", expected("", "bris_de_glace", "bris_de_glace", "PurposeOfUse")


def _does_not_insist(conversation: Conversation) -> Shown:
    sent = conversation.of(*_FEEDINGS)
    refused = [one for one in sent if one.outcome == REFUSED and _DUPLICATE not in one.codes]
    for one in refused[1:]:
        fr, en = "aucun nouvel envoi après un refus", "no further attempt after a refusal"
        yield one.id, expected(f"{len(refused)} × {one.transaction}", fr, en, "")


def _repeats_the_same(conversation: Conversation) -> Shown:
    sent = conversation.of(*_FEEDINGS)
    lost = next((one for one in sent if one.outcome == NONE), None)
    if lost is None:
        return
    later = [one for one in sent if one.time > lost.time]
    if not later and conversation.step.behaviour != HOLD:  # there it may say so and leave it to the person
        yield lost.id, expected("", "le même lot, de nouveau", "the same submission again", "")
    for one in later:
        if (one.submission, one.contents) != (lost.submission, lost.contents):
            yield one.id, expected(one.submission, lost.submission, lost.submission, "SubmissionSet.uniqueId")


def _stops_waiting(conversation: Conversation) -> Shown:
    first = conversation.of(*_FEEDINGS)[0]
    if first.outcome == SUCCESS:
        seconds = f"{conversation.step.seconds:g} s"
        fr, en = "la fin de l'attente auparavant", "the end of the waiting before"
        yield first.id, expected(f"{first.transaction} + {seconds}", fr, en, "")


def _takes_duplicate_for_done(conversation: Conversation) -> Shown:
    told = next((one for one in conversation.now if _DUPLICATE in one.codes), None)
    for one in conversation.of(*_FEEDINGS):
        if told is not None and one.time > told.time:
            yield one.id, expected(one.submission, "aucun nouveau dépôt", "no further submission", "")


def _waits_where_it_is_busy(conversation: Conversation) -> Shown:
    busy = min((one for one in conversation.now if one.busy), key=lambda one: one.time, default=None)
    if busy is None:
        return
    soon = [one for one in conversation.now if 0 < (one.time - busy.time).total_seconds() < BUSY_SECONDS]
    if len(soon) > _MOST_WHILE_BUSY:
        fr, en = "un appel plus tard", "a call later"
        yield soon[-1].id, expected(f"{len(soon)} × {busy.transaction} / {BUSY_SECONDS:.0f} s", fr, en, "")


def _after(conversation: Conversation, outcome: str) -> Shown:
    """After an answer that says nothing, the same is asked again, or nothing."""
    unsaid = next((one for one in conversation.now if one.outcome == outcome), None)
    for one in conversation.now:
        if unsaid is None or one.time <= unsaid.time:
            continue
        if one.transaction == unsaid.transaction:
            return
        fr, en = f"{unsaid.transaction} de nouveau, ou rien", f"{unsaid.transaction} again, or nothing"
        yield one.id, expected(one.transaction, fr, en, "")


def _does_not_believe_noise(conversation: Conversation) -> Shown:
    yield from _after(conversation, UNREADABLE)


def _does_not_believe_another_answer(conversation: Conversation) -> Shown:
    yield from _after(conversation, UNRELATED)


def _makes_a_new_assertion(conversation: Conversation) -> Shown:
    refused = next((one for one in conversation.now if one.outcome == FAULT), None)
    for one in conversation.now:
        if refused is not None and one.time > refused.time and one.token == refused.token:
            fr, en = "une nouvelle assertion ou un nouveau jeton", "a new assertion or token"
            yield one.id, expected(one.token, fr, en, "/Assertion/@ID" if one.assertion else "jti")


def _versions_follow(conversation: Conversation) -> Shown:
    known = {one.unique_id: one for trace in conversation.all for one in trace.documents}
    for trace in conversation.of(*_FEEDINGS):
        for one in trace.documents if trace.replaced else ():
            old = known.get(one.parent)
            if old is None:
                wanted = "relatedDocument RPLC"
                yield trace.id, expected(one.parent, wanted, wanted, "relatedDocument/parentDocument/id")
            elif (one.set_id, one.number) != (old.set_id, str(int(old.number or "0") + 1)):
                wanted = f"{old.set_id}, {int(old.number or '0') + 1}"
                yield trace.id, expected(f"{one.set_id}, {one.number}", wanted, wanted, "setId, versionNumber")


def _changes_confidentiality_alone(conversation: Conversation) -> Shown:
    known = {entry.logical_id: entry for one in conversation.all for entry in one.found if entry.logical_id}
    for trace in conversation.of("ITI-57"):
        for one in trace.sent:
            old = known.get(one.logical_id)
            if old is not None and old.stable != one.stable:
                fr, en = "confidentialityCode seul change", "confidentialityCode alone changes"
                yield trace.id, expected(one.entry_uuid, fr, en, "ExtrinsicObject")


def changes_as_asked(transaction: str, place: str) -> Callable[[Conversation], Shown]:
    """Does one of the updates come to what the step has the person do?"""

    def check(conversation: Conversation) -> Shown:
        wanted, sent = conversation.step.change, conversation.of(transaction)
        if not any(wanted in one.changes for one in sent):
            yield sent[-1].id, expected(", ".join(sent[-1].changes), wanted, wanted, place)

    return check


def is_asked_to_change(transaction: str) -> Callable[[Conversation], bool]:
    return lambda conversation: bool(conversation.step.change) and has(transaction)(conversation)


def has(*transactions: str) -> Callable[[Conversation], bool]:
    return lambda conversation: any(one.transaction in transactions for one in conversation.now)


def _was(outcome: str) -> Callable[[Conversation], bool]:
    return lambda conversation: any(one.outcome == outcome for one in conversation.now)


def _is_replacing(conversation: Conversation) -> bool:
    return any(one.replaced for one in conversation.now)


def _is_any(conversation: Conversation) -> bool:
    return bool(conversation.now)


def _is_untrusted(conversation: Conversation) -> bool:
    return conversation.step.behaviour == UNTRUSTED and bool(conversation.now or conversation.refused_connections)


def _is_held(conversation: Conversation) -> bool:
    """What is refused is answered at once: nobody had to wait."""
    first = next(iter(conversation.of(*_FEEDINGS)), None)
    return conversation.step.behaviour == HOLD and first is not None and first.outcome in (SUCCESS, NONE)


def _fed(outcome: str) -> Callable[[Conversation], bool]:
    return lambda conversation: any(one.outcome == outcome for one in conversation.of(*_FEEDINGS))


def _is_lost(conversation: Conversation) -> bool:
    """Where an answer is held, sending again is free: what is sent again shows it."""
    return _fed(NONE)(conversation) and (conversation.step.behaviour != HOLD or len(conversation.of(*_FEEDINGS)) > 1)


def _is_followed(is_meant: Callable[[Trace], bool]) -> Callable[[Conversation], bool]:
    """Did anything come after such an answer?"""

    def applies(conversation: Conversation) -> bool:
        meant = next((one for one in conversation.now if is_meant(one)), None)
        return meant is not None and any(one.time > meant.time for one in conversation.now)

    return applies


def _reads_normally(conversation: Conversation) -> bool:
    return any(one.is_search and one.purpose == NORMAL for one in conversation.now)


def _changes_what_is_known(conversation: Conversation) -> bool:
    known = {entry.logical_id for one in conversation.all for entry in one.found} - {""}
    return any(one.logical_id in known for trace in conversation.of("ITI-57") for one in trace.sent)


def _told(code: str) -> Callable[[Conversation], bool]:
    return lambda conversation: any(code in one.codes for one in conversation.now)


def conversation_rule(
    requirement: str,
    applies: Callable[[Conversation], bool],
    check: Callable[[Conversation], Shown],
    *,
    proves: bool = True,
) -> ConversationRule:
    return ConversationRule(requirement=f"CLIENT-{requirement}", applies=applies, check=check, proves=proves)


RULES = (
    conversation_rule("TLS-04", _is_untrusted, _refuses_the_server),
    conversation_rule("SOAP-04", _is_any, _message_ids_are_new),
    conversation_rule("VIHF-06", lambda one: any(trace.assertion for trace in one.now), _assertion_ids_are_of_one),
    conversation_rule("CDA-05", _is_replacing, _versions_follow),
    conversation_rule("RET-01", has("ITI-43"), _asks_where_it_lies),
    conversation_rule("UPD-02", _changes_what_is_known, _changes_confidentiality_alone),
    conversation_rule("UPD-04", is_asked_to_change("ITI-57"), changes_as_asked("ITI-57", "SubmitObjectsRequest")),
    conversation_rule("ORDER-01", has(*_ON_DOCUMENTS), _existence_was_tested),
    conversation_rule("ORDER-02", _reads_normally, _reads_with_authorisation),
    conversation_rule("ORDER-03", has("TD0.2"), _adds_itself_only_where_needed),
    conversation_rule("ORDER-04", has("ITI-43"), _asks_for_what_was_found),
    conversation_rule("ORDER-05", _fed(SUCCESS), _does_not_search_by_itself),
    conversation_rule("ORDER-06", _is_any, _uses_the_purpose_of_the_step),
    conversation_rule("ERR-01", _fed(REFUSED), _does_not_insist),
    conversation_rule("ERR-02", _is_lost, _repeats_the_same),
    conversation_rule("ERR-03", _told(_DUPLICATE), _takes_duplicate_for_done),
    conversation_rule("ERR-04", _is_followed(lambda one: one.busy), _waits_where_it_is_busy),
    conversation_rule("ERR-05", _was(UNREADABLE), _does_not_believe_noise, proves=False),
    conversation_rule("ERR-06", _is_followed(lambda one: one.outcome == FAULT), _makes_a_new_assertion),
    conversation_rule("ERR-07", _was(UNRELATED), _does_not_believe_another_answer, proves=False),
    conversation_rule("ERR-09", _is_held, _stops_waiting),
)
