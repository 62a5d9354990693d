"""The TLS side of librdkafka's settings as a Python context: aiokafka, beneath Faust, takes nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Mapping


def context_of(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """The context that `security.protocol` and the `ssl.*` settings mean; None = no TLS.

    Raises:
        ValueError: a certificate or key cannot be used; names the file, never the key's password.
    """
    if not options.get("security.protocol", "").endswith("SSL"):
        return None
    ca, certificate = options.get("ssl.ca.location"), options.get("ssl.certificate.location")
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, options["ssl.key.location"], options.get("ssl.key.password", ""))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"TLS files {[ca, certificate]} cannot be used: {error.strerror or error}") from None
    return context
