"""A company's own certificate authority, and a certificate that it signs."""

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USAGE = {
    name: name == "key_cert_sign"
    for name in (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
}


def certify(place: Path, name: x509.GeneralName, *, names_authority: bool = True) -> tuple[Path, Path]:
    """The files of the CA's certificate, and of a server's key with the certificate for its name.

    They have all that Python wants from 3.13 on, where its checks are strict; unless the server's does not
    name its authority's key.
    """
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company's own CA")])
    now = datetime.datetime.now(datetime.UTC)

    def certificate(subject: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    ca = (
        certificate(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**USAGE), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    served = certificate(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keptn")]), key.public_key()
    ).add_extension(x509.SubjectAlternativeName([name]), critical=False)
    if names_authority:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        served = served.add_extension(authority, critical=False)
    (place / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (place / "server.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + served.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return place / "ca.pem", place / "server.pem"
