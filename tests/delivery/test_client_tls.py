"""Fault 33: a platform whose TLS is not in order gets no byte of a request. The authorities are made on the fly."""

import datetime as dt
import ipaddress
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.delivery.loopback import USCC, Loopback, credential, department, says, spec
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.protocol import Transport

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
BODY = json.dumps({"batchNo": "B-1", "records": [{"recordKey": "K", "insAuthCode": USCC}]}).encode()


def made(subject, key, issuer, issuer_key, *, ca=False, names=(LOOPBACK,), start=NOW - DAY, end=NOW + DAY):
    """A certificate of that subject, signed by that issuer."""
    name, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if ca:
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority of the county and one nobody trusts: name → (key, file of its certificate)."""
    folder, found = tmp_path_factory.mktemp("authorities"), {}
    for name in ("county", "stranger", "middle"):
        key = ec.generate_private_key(ec.SECP256R1())
        by = "county" if name == "middle" else name  # the middle one is the county's own, not a root
        cert = made(name, key, by, found[by][0] if by in found else key, ca=True)
        path = folder / f"{name}.pem"
        path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        found[name] = (key, str(path))
    return found


def server_tls(tmp_path, authority, issuer="county", chain="", **changes):
    """A server's TLS with a certificate of its own by that issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = made("platform", key, issuer, authority[issuer][0] if issuer in authority else key, **changes)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path / "server.pem"
    path.write_bytes(secret + cert.public_bytes(serialization.Encoding.PEM) + chain.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def push(server, ca_file, url=None):
    line = Client(spec("double_random", url or server.url, ca_file=ca_file), credential("double_random"), department())
    return line.push("/api/v1/inspection-results", BODY, "SCJG")


def test_a_platform_with_the_countys_certificate_is_served(tmp_path, authority):
    with Loopback([says(200, {"code": "0000"})], server_tls(tmp_path, authority)) as server:
        reply = push(server, authority["county"][1])
    assert (reply.transport, reply.json) == (Transport.ANSWERED, {"code": "0000"})


def test_a_platform_that_shows_its_whole_chain_is_served(tmp_path, authority):
    chain = Path(authority["middle"][1]).read_text("ascii")
    with Loopback([says(200, {"code": "0000"})], server_tls(tmp_path, authority, "middle", chain)) as server:
        assert push(server, authority["county"][1]).transport is Transport.ANSWERED


@pytest.mark.parametrize(
    ("issuer", "changes"),
    [
        pytest.param("stranger", {}, id="unknown authority"),
        pytest.param("platform", {}, id="self-signed"),
        pytest.param("middle", {}, id="a link of the chain is missing"),
        pytest.param("county", {"end": NOW - dt.timedelta(hours=1)}, id="expired"),
        pytest.param("county", {"start": NOW + dt.timedelta(hours=1)}, id="not yet valid"),
        pytest.param("county", {"names": (x509.DNSName("elsewhere.invalid"),)}, id="another name"),
        pytest.param("county", {"names": (x509.IPAddress(ipaddress.ip_address("127.0.0.2")),)}, id="another address"),
    ],
)
def test_fault_33_a_platform_whose_certificate_does_not_hold_gets_no_byte(tmp_path, authority, issuer, changes):
    with Loopback([says(200, {"code": "0000"})], server_tls(tmp_path, authority, issuer, **changes)) as server:
        reply = push(server, authority["county"][1])
    assert reply.transport is Transport.NO_CONNECT
    assert "TLS" in reply.error
    assert server.asked == []


def test_fault_33_an_authority_of_ours_alone_is_not_trusted_by_default(tmp_path, authority):
    with Loopback([says(200, {"code": "0000"})], server_tls(tmp_path, authority)) as server:
        reply = push(server, "")
    assert reply.transport is Transport.NO_CONNECT
    assert server.asked == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_fault_33_60_an_authority_of_the_surroundings_is_not_trusted(tmp_path, authority, monkeypatch, name):
    monkeypatch.setenv(name, authority["stranger"][1])
    with Loopback([says(200, {"code": "0000"})], server_tls(tmp_path, authority, "stranger")) as server:
        replies = [push(server, authority["county"][1]), push(server, "")]
    assert {reply.transport for reply in replies} == {Transport.NO_CONNECT}
    assert server.asked == []


def test_fault_33_an_outdated_protocol_is_refused(tmp_path, authority):
    context = server_tls(tmp_path, authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with Loopback([says(200, {"code": "0000"})], context) as server:
        reply = push(server, authority["county"][1])
    assert reply.transport is Transport.NO_CONNECT
    assert server.asked == []


def test_fault_33_a_platform_that_answers_in_clear_gets_no_byte(authority):
    with Loopback([says(200, {"code": "0000"})]) as server:
        reply = push(server, authority["county"][1], url=server.url.replace("http:", "https:"))
    assert reply.transport is Transport.NO_CONNECT
    assert all(asked.method != "POST" for asked in server.asked)


def test_fault_29_a_handshake_that_never_ends_is_cut(authority):
    with Loopback([]) as server:
        server.handlers.append(lambda conn, asked: server.pause(5))
        line = Client(
            spec(
                "double_random", server.url.replace("http:", "https:"), ca_file=authority["county"][1],
                call_seconds=0.5, connect_seconds=30.0,
            ),
            credential("double_random"),
            department(),
        )  # fmt: skip
        reply = line.push("/api/v1/inspection-results", BODY, "SCJG")
    assert reply.transport is Transport.NO_CONNECT
    assert reply.ended_at - reply.started_at < 2
