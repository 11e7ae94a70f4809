"""The port of the feed: turns, limits, time-outs, TLS, graceful stop."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from access_policy.caller import Caller
from carnet.mllp_framing import frame
from carnet.mllp_listener import MllpLimits, MllpListener
from carnet.mllp_tls import TlsPolicy, subject_of, tls_policy
from carnet.refused_handshakes import RefusedHandshakes
from carnet.reloading import Reloading
from tests.certificates import Holder, a_certificate, a_revocation_list, an_authority
from tests.mllp import Sender, connected

Receive = Callable[[bytes, Caller], bytes]


def echo(message: bytes, caller: Caller) -> bytes:
    return b"MSH\rMSA|" + caller.name.encode() + b"|" + message


@contextmanager
def listening(
    receive: Receive = echo, *, tls: TlsPolicy | Reloading[TlsPolicy] | None = None, **limits: float
) -> Iterator[tuple[MllpListener, int]]:
    with socket.create_server(("127.0.0.1", 0)) as port:
        listener = MllpListener(
            port,
            receive=receive,
            refuse=lambda octets, reason: b"MSH\rMSA|AR|" + reason.encode(),
            limits=MllpLimits(**limits),  # type: ignore[arg-type]
            on_failed_handshake=RefusedHandshakes(),
            tls=Reloading(lambda: tls, ()) if isinstance(tls, TlsPolicy) else tls,
        )
        thread = threading.Thread(target=listener.run)
        thread.start()
        try:
            yield listener, port.getsockname()[1]
        finally:
            listener.stop()
            thread.join(20)
            assert not thread.is_alive()


def is_closed(sender: Sender) -> bool:
    """The other side has ended the connection, in an orderly way or not."""
    with suppress(ConnectionError):
        return sender.connection.recv(1) == b""
    return True


def test_messages_of_one_connection_are_answered_in_turn() -> None:
    with listening() as (_, port), connected(port) as sender:
        assert [sender.send(text)[1] for text in ("a", "b", "")] == ["MSA|open|a", "MSA|open|b", "MSA|open|"]
        sender.connection.sendall(frame(b"c") + frame(b"d"))
        assert [sender.answer()[1], sender.answer()[1]] == ["MSA|open|c", "MSA|open|d"]


def test_connections_do_not_wait_for_each_other() -> None:
    with listening() as (_, port), connected(port) as one, connected(port) as other:
        one.connection.sendall(b"\x0bhalf a mess")
        assert other.code("x") == "open"
        one.connection.sendall(b"age\x1c\r")
        assert one.answer()[1] == "MSA|open|half a message"


def test_what_is_no_block_is_answered_and_ended() -> None:
    with listening() as (_, port), connected(port) as sender:
        sender.connection.sendall(b"GET / HTTP/1.1\r\n")
        assert sender.answer()[1].startswith("MSA|AR|expected the start of a block")
        assert is_closed(sender)


def test_a_message_too_long_is_answered_and_ended() -> None:
    with listening(message=1000) as (_, port), connected(port) as sender:
        sender.connection.sendall(b"\x0b" + b"x" * 1001)
        assert sender.answer()[1] == "MSA|AR|the message has more than 1000 octets"
        assert is_closed(sender)


def test_more_connections_than_allowed_are_closed_and_one_that_ends_makes_room() -> None:
    with listening(connections=2) as (_, port), connected(port) as one, connected(port) as two:
        assert (one.code("x"), two.code("x")) == ("open", "open")
        with connected(port) as three:
            assert is_closed(three)
        one.connection.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with connected(port) as again, suppress(ConnectionError, IndexError):
                if again.code("x") == "open":
                    return
        pytest.fail("no room was made")


def test_a_silent_connection_is_closed() -> None:
    with listening(idle=0.2) as (_, port), connected(port) as sender:
        assert is_closed(sender)


def test_a_message_that_trickles_in_is_given_up() -> None:
    with listening(receiving=0.5, idle=60) as (_, port), connected(port) as sender:
        sender.connection.settimeout(0.05)
        sender.connection.sendall(b"\x0b")
        began = time.monotonic()
        while time.monotonic() - began < 10:
            with suppress(TimeoutError):
                try:
                    sender.connection.sendall(b"x")
                    if sender.connection.recv(1) == b"":
                        break
                except ConnectionError:
                    break
        assert 0.4 < time.monotonic() - began < 8


def test_a_stop_answers_what_is_being_answered() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slowly(message: bytes, caller: Caller) -> bytes:
        entered.set()
        assert go_on.wait(10)
        return echo(message, caller)

    # Connections are accepted in their order: once the busy one is read, so is the idle one.
    with listening(slowly) as (listener, port), connected(port) as idle, connected(port) as busy:
        busy.connection.sendall(frame(b"last") + frame(b"too late"))
        assert entered.wait(10)
        stopping = threading.Thread(target=listener.stop)
        stopping.start()
        assert is_closed(idle)
        go_on.set()
        assert busy.answer()[1] == "MSA|open|last"
        assert is_closed(busy)
        stopping.join(10)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Holder]:
    folder = tmp_path_factory.mktemp("pki")
    authority, stranger = an_authority(folder), an_authority(folder, "Other CA")
    return {
        "ca": authority,
        "other": stranger,
        **{name: a_certificate(folder, name, authority) for name in ("server", "ehr", "mpi", "guest")},
        "forged": a_certificate(folder, "forged", stranger),
    }


def policy(pki: dict[str, Holder], *clients: str, trust: Path | None = None) -> TlsPolicy:
    files = {"certificate": str(pki["server"].file), "key": "", "trust": str(trust or pki["ca"].file)}
    return tls_policy(**files, clients=frozenset(clients))


def client(pki: dict[str, Holder], name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki["ca"].file))
    if name is not None:
        context.load_cert_chain(str(pki[name].file))
    return context


@pytest.mark.parametrize(
    "allowed",
    [
        lambda pki: pki["ehr"].fingerprint,
        lambda pki: ":".join(pki["ehr"].fingerprint.upper()[at : at + 2] for at in range(0, 64, 2)),
        lambda pki: "CN=ehr,O=Tilleuls,C=FR",
        lambda pki: "CN=ehr, O=Tilleuls, C=FR",
    ],
)
def test_an_allowed_certificate_is_let_in_and_named(
    pki: dict[str, Holder], allowed: Callable[[dict[str, Holder]], str]
) -> None:
    with (
        listening(tls=policy(pki, "CN=mpi,O=Tilleuls,C=FR", allowed(pki))) as (_, port),
        connected(port, client(pki, "ehr")) as sender,
    ):
        assert sender.send("x")[1] == "MSA|CN=ehr,O=Tilleuls,C=FR|x"


@pytest.mark.parametrize("name", ["guest", "forged", None])
def test_others_are_not_let_in(pki: dict[str, Holder], name: str | None) -> None:
    received: list[bytes] = []

    def receive(message: bytes, caller: Caller) -> bytes:
        received.append(message)
        return echo(message, caller)

    with listening(receive, tls=policy(pki, "CN=ehr,O=Tilleuls,C=FR")) as (_, port):
        with suppress(OSError), connected(port, client(pki, name)) as sender:
            sender.connection.sendall(frame(b"x"))
            assert is_closed(sender)
        assert received == []
        with connected(port, client(pki, "ehr")) as sender:
            assert sender.send("y")[1].endswith("|y")


@pytest.mark.parametrize(("days", "let_in"), [(1, ["ehr"]), (-1, [])])
def test_a_revoked_certificate_is_not_let_in_nor_anybody_without_a_current_list(
    pki: dict[str, Holder], tmp_path: Path, days: int, let_in: list[str]
) -> None:
    trust = tmp_path / "issuers.pem"
    trust.write_bytes(pki["ca"].file.read_bytes() + a_revocation_list(pki["ca"], pki["mpi"], days=days))
    clients = [f"CN={name},O=Tilleuls,C=FR" for name in ("ehr", "mpi")]
    answered = []
    with listening(tls=policy(pki, *clients, trust=trust)) as (_, port):
        for name in ("mpi", "ehr"):
            with suppress(OSError), connected(port, client(pki, name)) as sender:
                sender.connection.sendall(frame(b"x"))
                if sender.connection.recv(1):
                    answered.append(name)
    assert answered == let_in


def test_who_is_revoked_while_the_feed_is_served_is_not_let_in_any_more(pki: dict[str, Holder], tmp_path: Path) -> None:
    """As at the port of https: files are read again. A broken one changes nothing."""
    trust, now = tmp_path / "issuers.pem", [0.0]
    clients = [f"CN={name},O=Tilleuls,C=FR" for name in ("ehr", "mpi")]

    def issuers(*revoked: Holder) -> bytes:
        return pki["ca"].file.read_bytes() + a_revocation_list(pki["ca"], *revoked)

    trust.write_bytes(issuers())
    policies = Reloading(lambda: policy(pki, *clients, trust=trust), [str(trust)], clock=lambda: now[0])

    def let_in(name: str) -> bool:
        now[0] += 3
        with suppress(OSError), connected(port, client(pki, name)) as sender:
            sender.connection.sendall(frame(b"x"))
            return sender.connection.recv(1) != b""
        return False

    with listening(tls=policies) as (_, port):
        assert let_in("mpi")
        trust.write_bytes(issuers(pki["mpi"]))
        assert not let_in("mpi")
        trust.write_bytes(b"no certificate")
        assert [let_in("mpi"), let_in("ehr")] == [False, True]
        trust.write_bytes(issuers())
        assert let_in("mpi")


def test_plain_text_is_not_taken_on_a_tls_port(pki: dict[str, Holder]) -> None:
    with listening(tls=policy(pki, "CN=ehr,O=Tilleuls,C=FR"), handshake=2) as (_, port), connected(port) as sender:
        sender.connection.sendall(frame(b"x"))
        assert is_closed(sender)


def test_a_handshake_that_does_not_come_is_given_up(pki: dict[str, Holder]) -> None:
    with listening(tls=policy(pki, "CN=ehr,O=Tilleuls,C=FR"), handshake=0.2) as (_, port), connected(port) as sender:
        assert is_closed(sender)


def test_tls_connections_stop_too(pki: dict[str, Holder]) -> None:
    with (
        listening(tls=policy(pki, "CN=ehr,O=Tilleuls,C=FR")) as (listener, port),
        connected(port, client(pki, "ehr")) as sender,
    ):
        assert sender.send("x")[1].endswith("|x")
        began = time.monotonic()
        listener.stop()
        assert is_closed(sender)
        assert time.monotonic() - began < 5


def test_old_versions_of_tls_are_refused(pki: dict[str, Holder]) -> None:
    assert policy(pki, "x").context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_subject_is_written_as_openssl_does() -> None:
    subject = (
        (("countryName", "FR"),),
        (("organizationName", 'Hôpital, "A+B"'),),
        (("commonName", "#1"), ("serialNumber", "7")),
    )
    assert subject_of({"subject": subject}) == 'CN=\\#1+serialNumber=7,O=Hôpital\\, \\"A\\+B\\",C=FR'


def test_files_that_do_not_do_are_an_error(pki: dict[str, Holder], tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(OSError, match=r".+"):
        tls_policy(certificate=str(empty), key="", trust=str(pki["ca"].file), clients=frozenset())
