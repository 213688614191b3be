"""Signatures, held against OpenSSH's own tool both ways; nothing that is not good is accepted."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import SettingsError, SignatureRefused
from lakehouse.settings import PROJECT, Settings
from lakehouse.signatures import (
    NAMESPACE,
    PRINCIPAL,
    TrustedKey,
    line_of,
    sign,
    sign_file,
    sshsig,
    trusted_keys,
    verify,
    verify_file,
)

SSH_KEYGEN = which("ssh-keygen")
needs_openssh = pytest.mark.skipif(SSH_KEYGEN is None, reason="OpenSSH is not installed")
MESSAGE = '{"product":"luftkvalitet_timme","måndag":1}\n'.encode()


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings.from_environment({}, home=tmp_path / "home")


def keygen(*arguments: object, message: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(SSH_KEYGEN), *map(str, arguments)], input=message, capture_output=True, check=False
    )


def made_key(folder: Path, name: str = "key", kind: str = "ed25519", phrase: str = "") -> Path:
    """A key that OpenSSH made."""
    folder.mkdir(exist_ok=True)
    done = keygen("-q", "-t", kind, "-N", phrase, "-C", "sjostad", "-f", folder / name)
    assert done.returncode == 0, done.stderr
    return folder / name


def says_yes(settings: Settings, path: Path, message: bytes, *, principal=PRINCIPAL) -> bool:
    return keygen(
        "-Y", "verify", "-f", settings.keys / "allowed_signers", "-I", principal,
        "-n", NAMESPACE, "-s", path, message=message,
    ).returncode == 0  # fmt: skip


def with_key(tmp_path: Path, settings: Settings, key: Path, *lines: str) -> Settings:
    """Settings that sign with a key of OpenSSH's, and trust it and others."""
    kind, blob, *_ = key.with_name(f"{key.name}.pub").read_text("utf-8").split()
    trusted = tmp_path / "allowed"
    trusted.write_text("\n".join([*lines, f"# ours\n{PRINCIPAL} {kind} {blob} comment", ""]))
    trusted.chmod(0o644)
    names = {"SJOSTAD_SIGNING_KEY": str(key), "SJOSTAD_TRUSTED_KEYS": str(trusted)}
    return Settings.from_environment(names, home=settings.home)


@needs_openssh
def test_citizens_verify_with_stock_tools(settings, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(MESSAGE)
    beside = sign_file(settings, path)
    assert beside.name == "manifest.json.sig"
    assert says_yes(settings, beside, MESSAGE)
    assert not says_yes(settings, beside, MESSAGE + b" ")
    assert not says_yes(settings, beside, MESSAGE, principal="someone")
    assert verify_file(path, trusted_keys(settings)).principal == PRINCIPAL


@needs_openssh
@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
def test_what_openssh_signs_is_accepted(settings, tmp_path, hash_name):
    key = made_key(tmp_path / "safe")
    path = tmp_path / "m"
    path.write_bytes(MESSAGE)
    done = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, "-O", f"hashalg={hash_name}", path)
    assert done.returncode == 0, done.stderr
    found = verify_file(path, trusted_keys(with_key(tmp_path, settings, key)))
    assert found.fingerprint in keygen("-l", "-f", key).stdout.decode()
    with pytest.raises(SignatureRefused, match="not what was signed"):
        verify(b"else", path.with_name("m.sig").read_bytes(), [found], place="m.sig")


@needs_openssh
def test_our_signature_is_byte_for_byte_the_one_openssh_makes(settings, tmp_path):
    """Ed25519 leaves nothing to chance, so both write the same file."""
    key = made_key(tmp_path / "safe")
    ours = sign(with_key(tmp_path, settings, key), MESSAGE)
    theirs = keygen("-Y", "sign", "-f", key, "-n", NAMESPACE, message=MESSAGE).stdout
    assert ours == theirs


@needs_openssh
def test_other_namespaces_and_other_kinds_of_keys_are_refused(settings, tmp_path):
    key = made_key(tmp_path / "safe")
    trusted = trusted_keys(with_key(tmp_path, settings, key))
    other = keygen("-Y", "sign", "-f", key, "-n", "git", message=MESSAGE).stdout
    with pytest.raises(SignatureRefused, match="made for 'git', not for 'sjostad'"):
        verify(MESSAGE, other, trusted, place="m.sig")
    for kind in ("ecdsa", "rsa"):
        another = made_key(tmp_path / "safe", kind, kind)
        signed = keygen("-Y", "sign", "-f", another, "-n", NAMESPACE, message=MESSAGE).stdout
        with pytest.raises(SignatureRefused, match="no Ed25519 key"):
            verify(MESSAGE, signed, trusted, place="m.sig")
        with pytest.raises(SettingsError, match="no Ed25519 key"):
            sign(with_key(tmp_path, settings, another), MESSAGE)


def test_a_key_that_is_not_trusted_is_nobody(settings, tmp_path):
    signed = sign(Settings.from_environment({}, home=tmp_path / "other"), MESSAGE)
    sign(settings, MESSAGE)
    with pytest.raises(SignatureRefused, match=r"key SHA256:\S+ is not trusted") as caught:
        verify(MESSAGE, signed, trusted_keys(settings), place="m.sig")
    assert caught.value.problems[0].place == "m.sig"
    assert "add its line" in caught.value.problems[0].remedy


def test_one_key_follows_another(settings, tmp_path):
    old = sign(settings, MESSAGE)
    (line,) = (settings.keys / "allowed_signers").read_text("utf-8").splitlines()
    new_home = Settings.from_environment({}, home=tmp_path / "new")
    new = sign(new_home, MESSAGE)
    (other,) = (new_home.keys / "allowed_signers").read_text("utf-8").splitlines()
    (settings.keys / "allowed_signers").write_text(f"{line}\n{other}\n", "utf-8")
    for signed in (old, new):
        verify(MESSAGE, signed, trusted_keys(settings), place="m.sig")
    (settings.keys / "allowed_signers").write_text(f"{other}\n", "utf-8")
    with pytest.raises(SignatureRefused, match="not trusted"):
        verify(MESSAGE, old, trusted_keys(settings), place="m.sig")
    with pytest.raises(SettingsError, match="Add the line: sjostad namespaces="):
        sign(settings, MESSAGE)


@given(data=st.data())
def test_any_byte_that_changes_is_found(tmp_path_factory, data):
    settings = Settings.from_environment({}, home=tmp_path_factory.getbasetemp() / "flip")
    signed = bytearray(sign(settings, MESSAGE))
    trusted = trusted_keys(settings)
    verify(MESSAGE, bytes(signed), trusted, place="m.sig")
    at = data.draw(st.integers(0, len(signed) - 1))
    signed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SignatureRefused):
        verify(MESSAGE, bytes(signed), trusted, place="m.sig")


@given(st.binary(max_size=300))
def test_bytes_that_are_no_signature_are_refused_in_words(noise):
    for data in (noise, sshsig._BEGIN + base64.b64encode(noise) + b"\n" + sshsig._END + b"\n"):
        with pytest.raises(SignatureRefused, match=r"no signature|not trusted"):
            verify(MESSAGE, data, [TrustedKey("a", b"x" * 32)], place="m.sig")


def wrapped(*fields: bytes, tail: bytes = b"") -> bytes:
    blob = b"SSHSIG\x00\x00\x00\x01" + b"".join(map(sshsig.string, fields)) + tail
    text = base64.b64encode(blob)
    rows = [text[at : at + 70] for at in range(0, len(text), 70)]
    return b"\n".join([sshsig._BEGIN.strip(), *rows, sshsig._END, b""])


KEY = sshsig.public_blob(b"k" * 32)
MADE = sshsig.string(b"ssh-ed25519") + sshsig.string(b"s" * 64)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (wrapped(KEY, b"sjostad", b"", b"sha512", MADE, tail=b"x"), "1 bytes follow its end"),
        (wrapped(KEY, b"sjostad", b"", b"sha512", MADE + b"x"), "1 bytes follow its end"),
        (wrapped(KEY + b"x", b"sjostad", b"", b"sha512", MADE), "1 bytes follow its end"),
        (wrapped(KEY, b"sjostad", b"", b"sha1", MADE), "hash algorithm is 'sha1'"),
        (wrapped(KEY, b"sjostad", b"", b"md5", MADE), "hash algorithm is 'md5'"),
        (wrapped(KEY, b"sjostad", b"r", b"sha512", MADE), "reserved field"),
        (wrapped(KEY, b"sjostad", b"", b"sha512", MADE[:-1]), "ends too early"),
        (wrapped(KEY, b"sjostad", b"", b"sha512"), "ends too early"),
        (wrapped(KEY, "sjöstad".encode(), b"", b"sha512", MADE), "plain ASCII"),
        (b"x" + wrapped(KEY, b"sjostad", b"", b"sha512", MADE), "alone"),
        (wrapped(KEY, b"sjostad", b"", b"sha512", MADE) + b"x", "alone"),
        (wrapped(KEY, b"sjostad", b"", b"sha512", MADE) + b"\n", "alone"),
        (b"", "alone"),
    ],
)
def test_what_the_format_does_not_allow_is_refused(data, what):
    with pytest.raises(SignatureRefused, match=what):
        verify(MESSAGE, data, [TrustedKey("a", b"k" * 32)], place="m.sig")


def test_a_missing_file_is_no_signature(settings, tmp_path):
    path = tmp_path / "m"
    path.write_bytes(MESSAGE)
    sign(settings, b"")
    with pytest.raises(SignatureRefused, match=r"m\.sig: it cannot be read"):
        verify_file(path, trusted_keys(settings))
    with pytest.raises(SignatureRefused, match="nothing: it cannot be read"):
        verify_file(tmp_path / "nothing", trusted_keys(settings))


def test_the_key_is_made_once_and_for_its_owner_alone(settings):
    first = sign(settings, MESSAGE)
    key = settings.keys / "signing_ed25519"
    assert key.stat().st_mode & 0o777 == 0o600
    assert settings.keys.stat().st_mode & 0o777 == 0o700
    assert sign(settings, MESSAGE) == first
    assert sorted(path.name for path in settings.keys.iterdir()) == [
        "allowed_signers", "signing_ed25519"
    ]  # fmt: skip


def test_processes_that_make_the_key_at_once_get_the_same(settings):
    code = (
        "import sys; from lakehouse.settings import Settings; from lakehouse.signatures import sign"
        "; sys.stdin.readline(); print(sign(Settings.from_environment(), b'm').hex())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **settings.as_environment(), "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    assert len({process.communicate()[0] for process in running}) == 1
    assert all(process.returncode == 0 for process in running)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_key_that_others_may_read_is_not_used(settings, mode):
    sign(settings, MESSAGE)
    key = settings.keys / "signing_ed25519"
    secret = key.read_text("utf-8").splitlines()[2]
    key.chmod(mode)
    with pytest.raises(SettingsError, match="others may read or write it") as caught:
        sign(settings, MESSAGE)
    assert "chmod 600" in str(caught.value)
    assert secret not in str(caught.value)


def test_trusted_keys_that_others_may_write_are_not_used(settings):
    sign(settings, MESSAGE)
    (settings.keys / "allowed_signers").chmod(0o664)
    with pytest.raises(SettingsError, match="others may write it"):
        trusted_keys(settings)


@needs_openssh
def test_a_key_with_a_passphrase_or_damage_is_named_and_not_quoted(settings, tmp_path):
    key = made_key(tmp_path / "safe", phrase="lösenord")
    mine = with_key(tmp_path, settings, key)
    with pytest.raises(SettingsError, match="has a passphrase"):
        sign(mine, MESSAGE)
    text = made_key(tmp_path / "safe", "b").read_text("utf-8")
    key.write_text(text.replace(text.splitlines()[3], "AAAA"), "utf-8")
    with pytest.raises(SettingsError) as caught:
        sign(mine, MESSAGE)
    assert text.splitlines()[2] not in str(caught.value)
    assert caught.value.__cause__ is None


@needs_openssh
def test_a_configured_key_lies_outside_and_is_there(settings, tmp_path):
    for place in (settings.home, PROJECT / "contracts"):
        names = {"SJOSTAD_SIGNING_KEY": str(place / "key")}
        with pytest.raises(SettingsError, match="Keep the key outside"):
            sign(Settings.from_environment(names, home=settings.home), MESSAGE)
    names = {"SJOSTAD_SIGNING_KEY": str(tmp_path / "gone")}
    with pytest.raises(SettingsError, match=r"cannot be read \(No such file"):
        sign(Settings.from_environment(names, home=settings.home), MESSAGE)
    assert not settings.keys.exists()


@pytest.mark.parametrize(
    "line",
    [
        "sjostad ssh-ed25519",
        "sjostad ssh-ed25519 AAAA",
        "ssh-ed25519 AAAA",
        "sjostad ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ",
        f"sjostad cert-authority {line_of(b'k' * 32).split(maxsplit=2)[2]}",
        f'sjostad valid-before="20300101" {line_of(b"k" * 32).split(maxsplit=2)[2]}',
        f'sjostad namespaces="git" {line_of(b"k" * 32).split(maxsplit=2)[2]}',
        f"sjostad {line_of(b'k' * 32).split(maxsplit=2)[2]}=",
        "",
        "# nothing",
    ],
)
def test_a_line_that_cannot_be_used_stops_everything(settings, line):
    settings.keys.mkdir(parents=True)
    path = settings.keys / "allowed_signers"
    path.write_text(f"{line}\n", "utf-8")
    with pytest.raises(SettingsError) as caught:
        trusted_keys(settings)
    assert caught.value.problems[0].place.startswith(str(path))


def test_verifying_makes_no_key(settings):
    with pytest.raises(SettingsError, match="trusted keys cannot be read"):
        trusted_keys(settings)
    assert not settings.keys.exists()
