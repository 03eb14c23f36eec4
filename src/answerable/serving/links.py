"""What the transport of a connection tells about its other end."""

import asyncio
import socket
import ssl

from answerable.serving.link import Link
from answerable.serving.networks import HERE, network_of
from answerable.serving.processes.peer import peer_of
from answerable.serving.tls import ServerContext


def link_of(transport: asyncio.Transport, url: str) -> Link:
    """Ask TLS and the kernel who is at the other end.

    Args:
        transport: The connection, its handshake done.
        url: The listener's, as configured.

    Raises:
        ProcessGone: The process at the other end of a socket cannot be named any more.
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
