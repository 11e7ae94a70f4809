"""A TLS client connection whose end tells whether the other side has read everything. RFC 8446: 6.1; RFC 5425: 4.4.

The socket of the standard library does not: its `unwrap` returns as well when the other side has sent a fatal alert,
such as a refusal of our certificate. Here the alert is read, and only a close_notify counts.
"""

import fcntl
import socket
import ssl
import struct
import termios

_READ = 16 * 1024


class TlsConnection:
    """Connected and with its handshake done; every method raises OSError, of which TLS errors are a kind."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, *, seconds: float) -> None:
        """`seconds` bound each wait for the other side here."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._socket = socket.create_connection((host, port), timeout=seconds)
        try:
            self._handshake()
        except BaseException:
            self._socket.close()
            raise

    def write_all(self, octets: bytes, *, seconds: float) -> None:
        """Hand the octets to the system, which may hold them back; `seconds` bound each wait."""
        self._socket.settimeout(seconds)
        view = memoryview(octets)
        while view:
            view = view[self._tls.write(view[:_READ]) :]
            self._flush()

    def finish(self, *, seconds: float) -> None:
        """Exchange close_notify: when this returns the other side has read all that was written.

        Raises OSError when it ends the connection in any other way.
        """
        self._socket.settimeout(seconds)
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            self._flush()
        while not self._is_closed_by_peer():
            self._receive()

    def check_alive(self) -> None:
        """Raises OSError when the other side has ended the connection."""
        self._socket.setblocking(False)
        try:
            while octets := self._socket.recv(_READ):
                self._incoming.write(octets)
                if self._is_closed_by_peer():
                    raise ConnectionResetError("close_notify")
        except BlockingIOError:
            return
        raise ConnectionResetError("end of connection")

    def octets_queued(self) -> int:
        """Octets that the system of the other side has not acknowledged."""
        answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        queued: int = struct.unpack("i", answer)[0]
        return queued

    def close(self) -> None:
        self._socket.close()

    def _handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
                continue
            except ssl.SSLError:
                self._flush()  # the alert that says why
                raise
            self._flush()
            return

    def _is_closed_by_peer(self) -> bool:
        """Read what has arrived: nothing that a receiver says is of interest, but how it ends."""
        try:
            while self._tls.read(_READ):
                continue
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True
        return True

    def _receive(self) -> None:
        octets = self._socket.recv(_READ)
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        self._socket.sendall(self._outgoing.read())
