"""TLS of a listener of ours."""

import ssl

from answerable.model.config import Tls
from answerable.model.errors import EnvironmentRefused


def server_tls(tls: Tls) -> ssl.SSLContext:
    """Make what a listener speaks TLS with; a client may show a certificate.

    Whether one has to is not for the listener to say: a token that is bound to a
    certificate is refused without it.

    Raises:
        EnvironmentRefused: A file cannot be read, or holds something else.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_files(context, tls)
    return context


def load_files(context: ssl.SSLContext, tls: Tls) -> None:
    """Read the files of a listener, for every handshake from now on.

    Raises:
        EnvironmentRefused: A file cannot be read, or holds something else.
    """
    path = tls.certificate
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            path = tls.client_ca
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds something else"
        raise EnvironmentRefused(
            f"cannot use {path} for TLS ({why})", "name PEM files of one certificate"
        ) from None
