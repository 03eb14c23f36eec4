"""Read the transport facts of a connection: TLS certificate, peer process, network."""

import asyncio
import socket
import ssl

from answerable.server.client_network import LOCAL, network_of_address
from answerable.server.connection_info import ConnectionInfo
from answerable.server.processes.unix_peer import read_unix_peer
from answerable.server.tls import ServerContext


def read_connection_info(transport: asyncio.Transport, url: str) -> ConnectionInfo:
    """Identify the other end of a connection by TLS and the kernel.

    Args:
        transport: The connection, its handshake done.
        url: URL of the listener, as configured.

    Raises:
        ProcessGone: The process at the other end of a socket has ended.
    """
    tls = transport.get_extra_info("ssl_object")
    if isinstance(tls, ssl.SSLObject):
        certificate = tls.getpeercert(binary_form=True) or b""
        context = tls.context
        # The files may have been read again while the handshake went on.
        if certificate and isinstance(context, ServerContext):
            certificate = (
                certificate
                if context.accepts_certificate(transport, certificate)
                else b""
            )
        return ConnectionInfo(
            certificate, tls=True, url=url, network=_peer_network(transport)
        )
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        return ConnectionInfo(peer=read_unix_peer(sock), network=LOCAL)
    return ConnectionInfo(url=url, network=_peer_network(transport))


def _peer_network(transport: asyncio.Transport) -> str:
    """Return the client's network prefix; empty for a unix socket."""
    name = transport.get_extra_info("peername")
    return network_of_address(str(name[0])) if isinstance(name, tuple) and name else ""
