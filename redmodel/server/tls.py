"""The TLS context that the ``tls-`` parameters describe."""

from __future__ import annotations

import ssl

from redmodel.engine.settings import Settings

_VERSIONS = {
    "tlsv1": ssl.TLSVersion.TLSv1,
    "tlsv1.1": ssl.TLSVersion.TLSv1_1,
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}


class TlsError(Exception):
    """A context can't be made of these parameters."""


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Make the context of a server.

    Raises:
        TlsError: a file is not named, or can't be used.
    """
    for name in ("tls-cert-file", "tls-key-file"):
        if not settings.text(name):
            raise TlsError(f"No {name} configured!")
    clients = settings.text("tls-auth-clients")
    ca_file, ca_directory = settings.text("tls-ca-cert-file"), settings.text("tls-ca-cert-dir")
    if clients != "no" and not ca_file and not ca_directory:
        raise TlsError("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-auth-clients is enabled!")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(
            settings.text("tls-cert-file"), settings.text("tls-key-file"), settings.text("tls-key-file-pass") or None
        )
        if ca_file or ca_directory:
            context.load_verify_locations(ca_file or None, ca_directory or None)
        if settings.text("tls-ciphers"):
            context.set_ciphers(settings.text("tls-ciphers"))
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"Failed to load certificates or ciphers: {error}") from error
    if settings.flag("tls-prefer-server-ciphers"):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    versions = [_VERSIONS[word] for word in settings.text("tls-protocols").lower().split() if word in _VERSIONS]
    context.minimum_version = min(versions, default=ssl.TLSVersion.TLSv1_2)
    if versions:
        context.maximum_version = max(versions)
    context.verify_mode = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL}.get(clients, ssl.CERT_REQUIRED)
    return context
