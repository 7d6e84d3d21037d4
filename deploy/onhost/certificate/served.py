"""The certificate that the proxy really shows to who asks for a name."""

from __future__ import annotations

import socket
import ssl

from ..failures import OnhostError
from .pem import Certificate, read

_PATIENCE_SECONDS = 10


def served(entrance: tuple[str, int], name: str) -> Certificate:
    """What is shown for that name, whoever signed it; raises OnhostError where no TLS comes about."""
    context = ssl.create_default_context()
    # Looked at, not trusted: nothing is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(entrance, timeout=_PATIENCE_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=name) as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
    except OSError as error:
        raise OnhostError(
            f"no TLS for {name} at {entrance[0]}:{entrance[1]} ({error.strerror or error})"
        ) from error
    return read(ssl.DER_cert_to_PEM_cert(shown or b"").encode())
