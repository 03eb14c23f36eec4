"""Reload TLS certificates of listeners: each reload builds a new SSL context.

A certificate authority that was loaded into a context stays in it, so a context is
never added to. The context in force tracks the connections with a client certificate;
those whose certificate the next context does not trust are closed.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from answerable.connectors.regular_file import check_regular_file
from answerable.model.config import ListenAddress, Listener, TlsFiles
from answerable.model.errors import EnvironmentFailure
from answerable.server.client_certificates import parse_certificate

HTTP_1 = "http/1.1"
_MIN_TRACKED = 64  # tracked connections before closed ones are dropped


class ServerContext(ssl.SSLContext):
    """SSL context of one reading of a listener's files.

    Attributes:
        later: Context that replaced it, None while it is in force.
    """

    later: "ServerContext | None" = None

    def __init__(self, *_: object) -> None:
        super().__init__()
        self._shown: dict[asyncio.Transport, bytes] = {}
        self._look_at = _MIN_TRACKED

    @property
    def authorities(self) -> frozenset[bytes]:
        """Trusted authorities of client certificates, each as DER."""
        return frozenset(self.get_ca_certs(binary_form=True))

    def accepts_certificate(
        self, transport: asyncio.Transport, certificate: bytes
    ) -> bool:
        """Return whether a client certificate is trusted now, and track its connection.

        Args:
            transport: The connection whose handshake used this context.
            certificate: DER, verified in the handshake.
        """
        newest = self
        while newest.later is not None:
            newest = newest.later
        if newest is not self and not newest._still_trusts_certificate(
            certificate, self.authorities
        ):
            return False
        newest._track_connection(transport, certificate)
        return True

    def retire(self, successor: "ServerContext") -> None:
        """Replace this context, and close connections that its successor distrusts."""
        self.later = successor
        shown, authorities = list(self._shown.items()), self.authorities
        self._shown.clear()
        for transport, certificate in shown:
            if successor._still_trusts_certificate(certificate, authorities):
                successor._track_connection(transport, certificate)
            else:
                transport.abort()

    def _track_connection(
        self, transport: asyncio.Transport, certificate: bytes
    ) -> None:
        """Remember the client certificate of a connection; forget closed ones."""
        if len(self._shown) >= self._look_at:
            # No event signals their end, and uvloop's transports have no weak references.
            open_ones = (
                each for each in self._shown.items() if not each[0].is_closing()
            )
            self._shown = dict(open_ones)
            self._look_at = max(_MIN_TRACKED, 2 * len(self._shown))
        self._shown[transport] = certificate

    def _still_trusts_certificate(
        self, certificate: bytes, verified_by: frozenset[bytes]
    ) -> bool:
        """Return whether a certificate is trusted that these authorities verified.

        OpenSSL does not name the authority. Where one of them was removed, a
        certificate counts if a remaining one signed it directly.
        """
        now = self.authorities
        return verified_by <= now or any(
            _is_issued_by(each, certificate) for each in now
        )


class ReloadableContext(ssl.SSLContext):
    """SSL context for an event loop, which delegates to the context in force.

    Args:
        files: PEM files of the listener.
        protocol: ALPN protocol to negotiate.

    Raises:
        EnvironmentFailure: A file cannot be read, or holds something else.
    """

    def __new__(cls, *_: object) -> "ReloadableContext":
        """Create the outer context; it is never used for a handshake."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles, protocol: str = HTTP_1) -> None:
        super().__init__()
        self._protocol = protocol
        self._files = files
        self._context = build_server_context(files, protocol)

    def build_context(self, files: TlsFiles | None) -> tuple[TlsFiles, ServerContext]:
        """Build a context from the files, without using it yet.

        Raises:
            EnvironmentFailure: A file cannot be read, or holds something else.
        """
        files = files or self._files
        return files, build_server_context(files, self._protocol)

    def switch_context(self, files: TlsFiles, context: ServerContext) -> None:
        """Use a context for every handshake from now on."""
        before, self._context, self._files = self._context, context, files
        before.retire(context)

    def wrap_bio(self, *words: Any, **more: Any) -> ssl.SSLObject:
        """Start TLS on a connection; called by `asyncio` and `uvloop`."""
        return self._context.wrap_bio(*words, **more)


class TlsListeners:
    """TLS listeners of a process."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Listener, ReloadableContext]] = []

    def add(
        self, listener: Listener, protocol: str = HTTP_1
    ) -> ReloadableContext | None:
        """Create the context of one more listener; None for plain text.

        Raises:
            EnvironmentFailure: A file cannot be read, or holds something else.
        """
        if listener.tls is None:
            return None
        made = ReloadableContext(listener.tls, protocol)
        self._listeners.append((listener, made))
        return made

    def prepare(self, configured_listeners: Iterable[Listener]) -> Callable[[], None]:
        """Read the TLS files of every listener again, without using them yet.

        Args:
            configured_listeners: Listeners of the present configuration, which may name
                other files.

        Returns:
            Function that applies them.

        Raises:
            EnvironmentFailure: A file cannot be read, or holds something else.
        """
        listeners = tuple(configured_listeners)
        read = [
            (own, *own.build_context(with_current_tls_files(listener, listeners).tls))
            for listener, own in self._listeners
        ]

        def use() -> None:
            for own, files, context in read:
                own.switch_context(files, context)

        return use


def build_client_context(ca_file: str) -> ssl.SSLContext:
    """Build the SSL context of a client that trusts a CA file or the system.

    Args:
        ca_file: PEM file of the authorities to trust; empty for the system's.

    Raises:
        UsageError: It is a named pipe, a socket or a device.
        OSError: It cannot be read, or holds no certificate.
    """
    if ca_file:
        check_regular_file(ca_file)
    return ssl.create_default_context(cafile=ca_file or None)


def with_current_tls_files(
    listener: Listener, configured_listeners: Iterable[Listener]
) -> Listener:
    """Return a listener with the TLS files of the present configuration."""
    place = _listener_key(listener)
    found = (
        each.tls
        for each in configured_listeners
        if _listener_key(each) == place and each.tls
    )
    return replace(listener, tls=next(found, listener.tls))


def without_tls_files(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """Return listeners without their TLS files, which a reload can change."""
    nameless = TlsFiles("", "", "")
    return tuple(
        each if each.tls is None else replace(each, tls=nameless) for each in listeners
    )


def _listener_key(listener: Listener) -> tuple[ListenAddress | None, str]:
    """Return the address or socket path that identifies a listener."""
    return listener.address, listener.unix


def build_server_context(files: TlsFiles, protocol: str) -> ServerContext:
    """Build the SSL context of a listener; client certificates are optional.

    A token that is bound to a certificate is refused without it, so the handshake
    requires none. Where client certificates are accepted, session tickets are disabled:
    a resumed session would skip the check of its chain.

    Raises:
        EnvironmentFailure: A file cannot be read, or holds something else.
    """
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    path = files.certificate
    try:
        for path in filter(None, (files.certificate, files.key, files.client_ca)):
            check_regular_file(path)
        path = files.certificate
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca:
            path = files.client_ca
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "unexpected content"
        raise EnvironmentFailure(
            f"cannot use {path} for TLS ({why})", "name PEM files of one certificate"
        ) from None
    return context


def _is_issued_by(authority: bytes, certificate: bytes) -> bool:
    """Return whether an authority signed a certificate directly."""
    try:
        signer = parse_certificate(authority)
        parse_certificate(certificate).verify_directly_issued_by(signer)
    except Exception:  # noqa: BLE001 - any error of three libraries is a no
        return False
    return True
