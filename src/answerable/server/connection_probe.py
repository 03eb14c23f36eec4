"""Reader of the transport facts of a connection."""

import asyncio
import socket
import ssl

from answerable.server.connection_info import Link
from answerable.server.networks import HERE, network_of
from answerable.server.processes.unix_peer import peer_of
from answerable.server.tls import ServerContext


def link_of(transport: asyncio.Transport, url: str) -> Link:
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
            certificate = certificate if context.admits(transport, certificate) else b""
        return Link(certificate, tls=True, url=url, network=_network(transport))
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        return Link(peer=peer_of(sock), network=HERE)
    return Link(url=url, network=_network(transport))


def _network(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    return network_of(str(name[0])) if isinstance(name, tuple) and name else ""
