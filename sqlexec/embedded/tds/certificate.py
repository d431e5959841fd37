"""The server's self-signed certificate, made anew at each start."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def make_certificate() -> tuple[bytes, bytes]:
    """Make a key and a certificate for localhost: both as PEM, valid for a year.

    RSA, since that is what a SQL Server makes for itself, and what every driver's list of
    suites holds.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses: list[x509.GeneralName] = [x509.DNSName("localhost")]
    addresses += [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def tls_contexts(key: bytes, certificate: bytes) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for TDS 7.4 and for TDS 8.0 (strict).

    TLS 1.3 stays out of TDS 7.4: Microsoft's driver and FreeTDS offer it and then hang.  No
    tickets, so that each handshake is a full one and the client never speaks first after it.
    """
    contexts = []
    with tempfile.TemporaryDirectory(prefix="sqlexec-") as folder:  # readable by its owner alone
        path = Path(folder, "server.pem")
        path.write_bytes(key + certificate)
        for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.maximum_version = maximum
            context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
            context.load_cert_chain(path)
            contexts.append(context)
    contexts[1].set_alpn_protocols(["tds/8.0"])
    return contexts[0], contexts[1]
