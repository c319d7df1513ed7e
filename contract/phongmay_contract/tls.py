"""How a client checks the broker's certificate: a CA in PEM goes in, a TLS context comes out.

The certificate must come from that CA and name the host. A file that holds no CA raises TlsError, which names its key.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from phongmay_contract.errors import OperatorError


class TlsError(OperatorError):
    """The CA cannot be used."""


def read_ca(key: str, path: str) -> str:
    """Read a CA file.

    Args:
        key: name of the setting, for the sentence.
        path: file in PEM.

    Raises:
        TlsError: it cannot be read, or holds no certificate.
    """
    try:
        text = Path(path).read_text("utf-8")
        client_context(text)
    except (OSError, UnicodeDecodeError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "strerror", None) or str(error)
        raise TlsError(f"{key} {path}: holds no CA that can be used ({reason}); give a file in PEM") from None
    return text


def client_context(ca: str) -> ssl.SSLContext:
    """Make a context that trusts this CA alone.

    Raises:
        ssl.SSLError, ValueError: it is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # asks for a certificate that names the host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca)
    return context
