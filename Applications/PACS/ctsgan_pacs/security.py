"""TLS and credentials, from files that the user names."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

from ctsgan.errors import CTError, reason


@dataclass(frozen=True)
class Tls:
    """Files in PEM.

    Args:
        certificate, key: of this side; ``None`` where the other side does not ask for one.
        authority: that signed the other side's certificate; ``None`` is the system's for servers, and asks clients
            for none.
    """

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def client(self) -> ssl.SSLContext:
        """To connect with; the server's certificate and name are checked.

        Raises:
            CTError: if a file cannot be used.
        """
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise _unusable(error) from None
        return context

    def server(self) -> ssl.SSLContext:
        """To listen with; clients need a certificate where an authority is given.

        Raises:
            CTError: if a file cannot be used.
        """
        if self.certificate is None:
            raise CTError("a service with TLS needs --tls-certificate and --tls-key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.authority:
                context.load_verify_locations(self.authority)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:
            raise _unusable(error) from None
        return context


def _unusable(error: OSError) -> CTError:
    return CTError(f"the TLS certificate, key or authority cannot be used: {reason(error)}; check the PEM files")


def read_authorization(path: Path) -> str:
    """The value of HTTP's Authorization from a file with ``user:password``, or with ``Bearer TOKEN``.

    Raises:
        CTError: if the file cannot be read or holds neither.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise CTError(f"the credentials {path} cannot be read; check the name and permissions") from None
    if text.startswith("Bearer ") and len(text.split()) == 2:
        return text
    if ":" in text and "\n" not in text:
        return f"Basic {base64.b64encode(text.encode()).decode()}"
    raise CTError(f"the credentials {path} are neither user:password nor Bearer TOKEN")
