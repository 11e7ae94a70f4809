"""Who brings notices to persons and their médecin traitant: a mail server, a web service, or a file for tests.

A message says that something happened and where to look, and nothing of what: no document, no professional, no record.
"""

import http.client
import json
import os
import re
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from carnet.elsewhere_settings import is_loopback
from carnet.exchange import brief_exchange
from carnet.notice_settings import MAIL_PORTS
from dmp.notices import TREATING_DOCTOR, Notice
from dmp.sql import persons, records
from dmp.sql.letters import Letter
from jobs.sent_notices import NoticeNotSent, Send
from storage.unit_of_work import Units

_SECONDS = 30
_LARGEST_ANSWER = 64 * 1024
_TAKEN = range(200, 300)
# Notice -> what its recipient reads; the same for every person and record.
_SENTENCES = {
    Notice.OPPOSED: "L'opposition à l'ouverture d'un dossier médical partagé est enregistrée.",
    Notice.CREATED: "Un dossier médical partagé a été ouvert.",
    Notice.DOCUMENT_ADDED: "Un document a été ajouté au dossier médical partagé.",
    Notice.BREAK_GLASS: "Le dossier médical partagé a été consulté en urgence.",
    Notice.ANNOUNCEMENT_DUE: "Un document du dossier médical partagé attend une consultation d'annonce.",
    Notice.VISIBLE: "Un document du dossier médical partagé est désormais visible.",
}
_WHERE, _NO_DATA = "Connectez-vous au dossier pour en savoir plus.", "Ce message ne contient aucune donnée de santé."
Address = Callable[[Letter], str]


def sender_of(settings: Any, units: Units) -> Send | None:
    """As the settings have it; None where nothing is sent."""
    if not settings.notices:
        return None
    url = urlsplit(settings.notices)
    if url.scheme == "file":
        return lambda letter: _write(Path(url.path), letter)
    if url.scheme in MAIL_PORTS:
        return _by_mail(settings, url, lambda letter: address_of(settings, units, letter))
    return lambda letter: _post(url, _secret(settings), letter)


def told(letter: Letter) -> dict[str, str]:
    """What a service or a file is told; `id` is the same when it is told again."""
    return {
        "id": str(letter.key),
        "notice": letter.notice,
        "to": letter.to,
        "recipient": letter.recipient,
        "recorded": letter.recorded,
        "text": _text(Notice(letter.notice)),
    }


def _text(notice: Notice) -> str:
    """Who opposed has no record to look at."""
    where = () if notice is Notice.OPPOSED else (_WHERE,)
    return " ".join((_SENTENCES[notice], *where, _NO_DATA))


def _write(file: Path, letter: Letter) -> None:
    line = json.dumps(told(letter), ensure_ascii=False) + "\n"
    try:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(line)
            lines.flush()
            os.fsync(lines.fileno())
    except OSError as problem:
        raise NoticeNotSent(f"file: {problem.strerror}") from problem


def _post(url: SplitResult, secret: str, letter: Letter) -> None:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    body, context = json.dumps(told(letter)).encode(), ssl.create_default_context() if url.scheme == "https" else None
    try:
        status, _ = brief_exchange(
            url, "POST", seconds=_SECONDS, most=_LARGEST_ANSWER, body=body, headers=headers, context=context
        )
    except (OSError, ValueError, http.client.HTTPException) as problem:
        raise NoticeNotSent(f"web service: {type(problem).__name__}") from problem
    if status not in _TAKEN:
        raise NoticeNotSent(f"web service: answered {status}")


# --- mail ----------------------------------------------------------------------------------------


# One addr-spec in its plain form: no list, no display name, no line break. RFC 5322 3.4.1
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _by_mail(settings: Any, url: SplitResult, address: Address) -> Send:
    def send(letter: Letter) -> None:
        recipient = address(letter)
        if not recipient:
            raise NoticeNotSent("mail: the recipient has no address", for_good=True)
        if not _ADDRESS.fullmatch(recipient):
            raise NoticeNotSent("mail: found something else than one address", for_good=True)
        message = message_of(letter, sender=settings.notices_from, recipient=recipient)
        try:
            with _connection(url) as server:
                if url.username:
                    server.login(url.username, _secret(settings))
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as problem:
            raise NoticeNotSent(f"mail: {_said(problem)}") from problem

    return send


def message_of(letter: Letter, *, sender: str, recipient: str) -> EmailMessage:
    """The same Message-ID each time, by which a receiver knows one that comes twice. RFC 5322 3.6.4"""
    message = EmailMessage()
    message["From"], message["To"] = sender, recipient
    message["Subject"] = "Dossier médical partagé"
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = f"<notice-{letter.key}@{domain}>"
    message.set_content(told(letter)["text"] + "\n")
    return message


def _connection(url: SplitResult) -> smtplib.SMTP:
    """Encrypted, with a certificate that is believed; without TLS on this machine alone. RFC 3207"""
    host, port = url.hostname or "", url.port or MAIL_PORTS[url.scheme]
    context = ssl.create_default_context()
    if url.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=_SECONDS)
    try:
        server.ehlo()
        if not is_loopback(host) or server.has_extn("starttls"):
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _said(problem: Exception) -> str:
    """The code of the server, never its words: they may repeat the address."""
    code = getattr(problem, "smtp_code", None)
    return type(problem).__name__ if code is None else f"{type(problem).__name__} {code}"


def address_of(settings: Any, units: Units, letter: Letter) -> str:
    """The e-mail of a holder or representative, as the record has it; a MSSanté address of the médecin traitant."""
    if letter.to == TREATING_DOCTOR:
        pattern = str(settings.notices_doctor_address)
        return pattern.replace("{id}", letter.recipient) if pattern else ""
    with units.read() as connection:
        record = records.find(connection, letter.recipient)
        person = None if record is None else persons.find(connection, record.key)
    telecoms = () if person is None else person.telecoms
    return next((one.removeprefix("mailto:") for one in telecoms if one.startswith("mailto:")), "")


def _secret(settings: Any) -> str:
    file = settings.notices_secret_file
    return Path(file).read_text(encoding="utf-8").strip() if file else ""
