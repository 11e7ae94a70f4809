"""What the kit tells people, in its two languages."""

import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Self

from conformance.failures import KitError

NOTHING = "–"


class Sentence(str):
    """English as a string, wherever one is wanted; `fr` says the same in French."""

    __slots__ = ("fr",)
    fr: str

    def __new__(cls, fr: str, en: str) -> Self:
        made = super().__new__(cls, en)
        made.fr = fr
        return made

    @property
    def en(self) -> str:
        return str(self)

    def about(self, what: str) -> "Sentence":
        """`what: …`."""
        return Sentence(f"{french(what)} : {self.fr}", f"{what}: {self.en}")


NOTHING_SAID = Sentence("", "")


def counted(number: int, fr: tuple[str, str], en: tuple[str, str]) -> Sentence:
    """A number and what it counts, one and many: `1 message`, `0 messages`; French counts nought as one."""
    return Sentence(f"{number} {fr[number > 1]}", f"{number} {en[number != 1]}")


def in_(language: str, text: str) -> str:
    """What is said in a language, `fr` or `en`."""
    return french(text) if language == "fr" else str(text)


def in_its_language(command: Callable[..., int]) -> Callable[..., int]:
    """A command with the option `language`: what it cannot do is told in that."""

    @wraps(command)
    def run(**given: Any) -> int:
        try:
            return command(**given)
        except (KitError, OSError) as problem:
            raise KitError(in_(given["language"], sentence_of(problem))) from problem

    return run


def french(text: str) -> str:
    """Names, codes and words of others are the same in both languages."""
    return text.fr if isinstance(text, Sentence) else text


def joined(parts: Iterable[str], separator: str = ", ") -> Sentence:
    kept = tuple(parts)
    return Sentence(french(separator).join(map(french, kept)), separator.join(kept))


def sentence_of(problem: Exception) -> Sentence:
    """What an error says: in both languages where it was raised so, as it stands where another library says it."""
    if problem.args and isinstance(problem.args[0], Sentence):
        return problem.args[0]
    file = getattr(problem, "filename", None)
    return reason(problem).about(str(file)) if file else reason(problem)


def reason(problem: Exception) -> Sentence:
    """Why a file cannot be used, or nobody answers; what has no sentence here stands as the system says it."""
    if isinstance(problem, TimeoutError):
        return Sentence("aucune réponse à temps", "timed out")
    if isinstance(problem, socket.gaierror):
        return Sentence("ce nom de machine est inconnu", "the name of the host is not known")
    said = str(getattr(problem, "strerror", None) or problem)
    return _REASONS.get(getattr(problem, "errno", None) or 0) or Sentence(said, said)


_REASONS: Mapping[int, Sentence] = {
    errno.ENOSPC: Sentence("le disque est plein", "the disk is full"),
    errno.EDQUOT: Sentence("le quota de disque est atteint", "the disk quota is used up"),
    errno.EROFS: Sentence("le disque est en lecture seule", "the disk is read-only"),
    errno.EACCES: Sentence("l'accès est refusé", "permission is denied"),
    errno.EFBIG: Sentence("le fichier est trop long", "the file is too long"),
    errno.ENOENT: Sentence("n'existe pas", "does not exist"),
    errno.EISDIR: Sentence("est un dossier", "is a folder"),
    errno.ENOTDIR: Sentence("n'est pas un dossier", "is no folder"),
    errno.EEXIST: Sentence("existe déjà", "exists already"),
    errno.ECONNREFUSED: Sentence("la connexion est refusée", "connection refused"),
    errno.ECONNRESET: Sentence("la connexion a été coupée", "connection reset"),
}


def expected(found: object, wanted: str, *, about: str = "") -> Sentence:
    """`about: found …, expected …`."""
    shown = str(found if found is not None else "").strip() or NOTHING
    told = Sentence(f"trouvé {shown}, attendu {french(wanted)}", f"found {shown}, expected {wanted}")
    return told.about(about) if about else told
