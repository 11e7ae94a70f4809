"""The handshake of a connection, in steps that never wait. RFC 8446: 4"""

import selectors
import ssl

from carnet.http_connection import Connection
from carnet.tls import ServerTls

_WANTS = {ssl.SSLWantReadError: selectors.EVENT_READ, ssl.SSLWantWriteError: selectors.EVENT_WRITE}


def shake(connection: Connection, tls: ServerTls) -> int:
    """One step: the event to wait for, or 0 when the client has proved who it is. Raises OSError, Refused."""
    sock = connection.sock
    if not isinstance(sock, ssl.SSLSocket):
        sock = tls.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        connection.sock = sock
    try:
        sock.do_handshake()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
        return _WANTS[type(wanted)]
    certificate = sock.getpeercert(binary_form=True)
    tls.check_client(certificate)
    connection.certificate = certificate
    return 0
