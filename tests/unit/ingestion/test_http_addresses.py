"""The guarded client: where it goes, and where it never does."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.protocols import download
from ingestion.web import network
from ingestion.web.client import connect
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.http_server import (
    CSV,
    Reply,
    canary,
    contract_of,
    in_turn,
    serving,
    take,
)

pytestmark = pytest.mark.usefixtures("nothing_public_is_asked")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0", "0",  # noqa: S104
        "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "169.254.169.254",
        "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "192.0.0.170", "198.18.0.1", "[fe80::1]", "[ff02::1]", "[fc00::1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001::1]", "localhost",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_never_reached(lake, host):
    with canary() as state:
        contract = contract_of(
            lake, "http", f"https://{host}:{state()[0]}/a", options={"internal": False}
        )
        with pytest.raises(SourceUnavailable, match=r"must not be asked|is no web address"):
            take(lake, download, contract)
        assert state()[1] == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://data.example/a", "not asked over https"),
        ("ftp://data.example/a", "no https address"),
        ("file:///etc/passwd", "no web address"),
        ("https://user:word@data.example/a", "holds a user's name"),
        ("https:///a", "no web address"),
        ("https://[::1", "no web address"),
        ("data.example/a:b", "no web address"),
    ],
)
def test_addresses_that_are_none(lake, address, said):
    contract = contract_of(lake, "http", address, options={"internal": False})
    with pytest.raises(SourceUnavailable, match=said) as refusal:
        take(lake, download, contract, resolve=lambda *_: pytest.fail("it was looked up"))
    assert "word" not in str(refusal.value)


def test_a_name_that_changes_its_address_leads_nowhere(lake):
    """DNS rebinding: the first answer is public, the second would be this machine."""
    with canary() as state:
        answers = [["93.184.215.14"], ["127.0.0.1"]]
        options = {"internal": False, "attempts": 2, "timeoutS": 0.1}
        contract = contract_of(
            lake, "http", f"https://data.example:{state()[0]}/a", options=options
        )
        with pytest.raises(SourceUnavailable, match=r"data\.example is 127\.0\.0\.1"):
            take(lake, download, contract, resolve=lambda *_: answers.pop(0))
        assert state()[1] == 0
        both = ["93.184.215.14", "127.0.0.1"]
        with pytest.raises(SourceUnavailable, match="it is not public"):
            take(lake, download, contract, resolve=lambda *_: both)
        assert state()[1] == 0


def test_the_name_stays_while_the_checked_address_is_connected_to(fetch):
    looked_up = []

    def resolve(host, port):
        looked_up.append(host)
        return ["127.0.0.1"]

    found, asked = fetch(in_turn(CSV), host="data.example", changes={"resolve": resolve})
    assert found.bodies == [CSV.body]
    assert looked_up == ["data.example"]
    assert asked[0].headers["host"].startswith("data.example:")


@pytest.mark.parametrize("ip", ["93.184.215.14", "2a00:801:f0::1"])
def test_public_addresses_are_fine(ip):
    assert network.objection(ip, internal=False) is None


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "fe80::1%eth0",
        "x",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
    ],
)
def test_internal_servers_have_ordinary_addresses_too(ip):
    assert network.objection(ip, internal=True)
    assert network.objection("10.1.2.3", internal=True) is None


def test_redirects_stay_on_the_server(fetch):
    def moved(to):
        return Reply(status=302, headers={"Location": to})

    def answering(asked):
        return CSV if asked.path == "/new.csv" else moved("/new.csv")

    assert fetch(answering)[0].bodies == [CSV.body]
    assert "redirects without end" in fetch(lambda asked: moved(f"{asked.path}x"))[0]
    with canary() as state:
        for to in (f"http://127.0.0.1:{state()[0]}/", "https://evil.example/?k=canary-77", "//e/"):
            said, asked = fetch(in_turn(moved(to)))
            assert "redirects to another server" in said
            assert "canary-77" not in said
            assert len(asked) == 1
        assert state()[1] == 0


def test_other_hosts_are_asked_only_if_the_contract_names_them(lake):
    contract = contract_of(lake, "http", "http://127.0.0.1:1/a", options={"hosts": ["b.example"]})
    with connect(contract) as client:
        other = client.addresses[0].join("https://c.example/a")
        with pytest.raises(SourceUnavailable, match="does not name this server"):
            client.get(other, lake.inbox / "a")
        assert ("https", "b.example", 443) in client.origins
        assert ("http", "b.example", 80) in client.origins, "an internal one"
    assert ("http", "b.example", 80) not in origins_of_public(lake)


def origins_of_public(lake):
    options = {"hosts": ["b.example"], "internal": False}
    with connect(contract_of(lake, "http", "https://a.example/", options=options)) as client:
        return client.origins


def test_no_proxy_resolves_names_for_us(fetch, monkeypatch):
    with canary() as state:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{state()[0]}")
        changes = {"resolve": lambda *_: ["127.0.0.1"]}
        assert fetch(in_turn(CSV), host="data.example", changes=changes)[0].bodies == [CSV.body]
        assert state()[1] == 0


def test_certificates_are_checked_against_the_name(lake, tmp_path):
    trusted = certificate(tmp_path, "data.example")
    with serving(in_turn(CSV), trusted.server) as server:
        for name, is_right in [("data.example", True), ("other.example", False)]:
            address = f"https://{name}:{server.port}/a.csv"
            contract = contract_of(lake, "http", address, options={"attempts": 1})
            changes = {"resolve": lambda *_: ["127.0.0.1"], "certificates": trusted.client}
            if is_right:
                assert take(lake, download, contract, **changes).bodies == [CSV.body]
            else:
                with pytest.raises(SourceUnavailable, match="cannot be reached"):
                    take(lake, download, contract, **changes)


class certificate:  # noqa: N801 - reads as a word in the test
    """A certificate for a name: a server's context, and a client's that trusts it."""

    def __init__(self, folder, name):
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        signed = (
            x509.CertificateBuilder(subject, subject, key.public_key(), 7)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(pem)
        self.client = ssl.create_default_context(cafile=str(pem))
