"""Signatures that anyone verifies with OpenSSH's own `ssh-keygen -Y verify`.

The key that signs is `SJOSTAD_SIGNING_KEY`, or one of the home's own that is made when something
is signed for the first time. The keys that count stand in a file of OpenSSH's allowed_signers
format; there may be several, so that one can follow another. Everything is refused that is not
known to be good: a missing file is no signature, a key that is not listed is nobody.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from lakehouse.errors import Problem, SettingsError, SignatureRefused
from lakehouse.flushing import write_whole
from lakehouse.settings import PROJECT, Settings
from lakehouse.signatures import sshsig
from lakehouse.signatures.keys import make_once, read_secret, secret_made_once

NAMESPACE: Final = "sjostad"
PRINCIPAL: Final = "sjostad"
SUFFIX: Final = ".sig"
_KEY_NAME: Final = "signing_ed25519"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key whose signatures count.

    Attributes:
        principal: Whose it is, as its line says.
        key: The public key, 32 bytes.
    """

    principal: str
    key: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` writes it."""
        digest = hashlib.sha256(sshsig.public_blob(self.key)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def sign(settings: Settings, message: bytes) -> bytes:
    """Sign bytes; what comes back is the content of a `.sig` file.

    Raises:
        SettingsError: There is no usable key, or it is not among the trusted ones: nobody would
            accept the signature.
    """
    private = _private_key(settings)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if all(known.key != public for known in trusted_keys(settings)):
        raise SettingsError(
            Problem(
                str(_trusted_file(settings)),
                "the key that signs is not among the keys that are trusted",
                f"Add the line: {line_of(public)}",
            )
        )
    signed = private.sign(sshsig.to_sign(message, NAMESPACE))
    return sshsig.armored(sshsig.Signature(public, NAMESPACE, sshsig.MADE_WITH, signed))


def sign_file(settings: Settings, path: Path) -> Path:
    """Sign a file; the signature stands beside it, flushed, under its name and `.sig`."""
    target = path.with_name(path.name + SUFFIX)
    write_whole(target, sign(settings, path.read_bytes()))
    return target


def verify(
    message: bytes, signature: bytes, trusted: Sequence[TrustedKey], *, place: str
) -> TrustedKey:
    """Whose signature this is.

    Args:
        message: The bytes that should have been signed.
        signature: Content of the `.sig` file.
        trusted: The keys that count.
        place: Where the signature stands, for the error.

    Raises:
        SignatureRefused: It cannot be read, is for something else, was made by another key or
            over other bytes.
    """
    remedy = "Trust nothing of this; get the file and its signature again from the publisher."
    try:
        found = sshsig.parsed(signature)
    except sshsig.Malformed as error:
        raise SignatureRefused(Problem(place, f"this is no signature: {error}", remedy)) from None
    if found.namespace != NAMESPACE:
        what = f"it was made for '{found.namespace}', not for '{NAMESPACE}'"
        raise SignatureRefused(Problem(place, what, remedy))
    signer = next((known for known in trusted if known.key == found.key), None)
    if signer is None:
        stranger = TrustedKey("", found.key).fingerprint
        what = f"the key {stranger} is not trusted"
        add = "If the key is the city's, add its line to the trusted keys; else trust nothing."
        raise SignatureRefused(Problem(place, what, add))
    try:
        Ed25519PublicKey.from_public_bytes(found.key).verify(
            found.signed, sshsig.to_sign(message, NAMESPACE, found.hash_name)
        )
    except InvalidSignature:
        raise SignatureRefused(
            Problem(place, "the content is not what was signed", remedy)
        ) from None
    return signer


def verify_file(path: Path, trusted: Sequence[TrustedKey]) -> TrustedKey:
    """Whose signature stands beside a file.

    Raises:
        SignatureRefused: The file or the signature is missing, or as `verify` says.
    """
    beside = path.with_name(path.name + SUFFIX)
    content: list[bytes] = []
    for one in (path, beside):
        try:
            content.append(one.read_bytes())
        except OSError as error:
            what = f"it cannot be read ({error.strerror}); unsigned files count for nothing"
            raise SignatureRefused(Problem(str(one), what, "Get both files again.")) from None
    return verify(content[0], content[1], trusted, place=str(beside))


def trusted_keys(settings: Settings) -> tuple[TrustedKey, ...]:
    """The keys that count, in the order of their file.

    Raises:
        SettingsError: The file is missing, empty, can be written by others, or has a line that
            cannot be used.
    """
    path = _trusted_file(settings)
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            Problem(
                str(path),
                f"the trusted keys cannot be read ({error})",
                "Write a line for each: `sjostad ssh-ed25519 AAAA…`, or set SJOSTAD_TRUSTED_KEYS.",
            )
        ) from error
    if mode & 0o022:
        what = "others may write it, and so may make anyone trusted"
        raise SettingsError(Problem(str(path), what, f"Run `chmod 644 {path}`."))
    lines = enumerate(text.splitlines(), 1)
    keys = tuple(
        _trusted(f"{path}:{number}", line)
        for number, line in lines
        if line.strip() and not line.startswith("#")
    )
    if not keys:
        raise SettingsError(Problem(str(path), "no key is trusted", "Write a line for each key."))
    return keys


def trusted_lines(settings: Settings) -> str:
    """The keys that count, as a file that `ssh-keygen -Y verify -f` reads.

    Raises:
        SettingsError: As `trusted_keys` does.
    """
    return "".join(f"{line_of(known.key, known.principal)}\n" for known in trusted_keys(settings))


def line_of(key: bytes, principal: str = PRINCIPAL) -> str:
    """The line of allowed_signers for a public key, as citizens and other cities get it."""
    blob = base64.b64encode(sshsig.public_blob(key)).decode()
    return f'{principal} namespaces="{NAMESPACE}" {sshsig.KEY_TYPE.decode()} {blob}'


def _trusted(place: str, line: str) -> TrustedKey:
    """Read one line; an option that is not understood could only be ignored, so it is refused."""
    words = line.split()
    kind = sshsig.KEY_TYPE.decode()
    at = next((number for number in (1, 2) if words[number : number + 1] == [kind]), 0)
    options = words[1] if at == 2 else f'namespaces="{NAMESPACE}"'
    named = options.removeprefix('namespaces="').removesuffix('"').split(",")
    is_usable = options == f'namespaces="{",".join(named)}"' and NAMESPACE in named
    if not at or not is_usable or len(words) < at + 2:
        raise SettingsError(
            Problem(
                place,
                "this line cannot be used",
                f'Write `{PRINCIPAL} namespaces="{NAMESPACE}" {kind} AAAA…`; other options and '
                "other types of keys are not understood.",
            )
        )
    try:
        key = sshsig.public_key(sshsig.unbase64(words[at + 1].encode()))
    except sshsig.Malformed as error:
        again = "Copy the line of the .pub file again."
        raise SettingsError(Problem(place, f"the key cannot be read: {error}", again)) from None
    return TrustedKey(words[0], key)


def _trusted_file(settings: Settings) -> Path:
    return settings.trusted_keys or settings.keys / "allowed_signers"


def _private_key(settings: Settings) -> Ed25519PrivateKey:
    if settings.signing_key is None:
        path = settings.keys / _KEY_NAME
        private = _loaded(path, secret_made_once(path, _made))
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        trusted = _trusted_file(settings)
        if settings.trusted_keys is None and not trusted.exists():  # a laptop trusts itself
            make_once(trusted, f"{line_of(public)}\n".encode(), 0o644)
        return private
    path = settings.signing_key
    lies_in = [folder for folder in (PROJECT, settings.home) if path.is_relative_to(folder)]
    if lies_in and not path.is_relative_to(settings.keys):
        raise SettingsError(
            Problem(
                "SJOSTAD_SIGNING_KEY",
                f"{path} lies in {lies_in[0]}, where it may be committed or copied with the data",
                "Keep the key outside the checkout and the home folder.",
            )
        )
    return _loaded(path, read_secret(path))


def _made() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )


def _loaded(path: Path, data: bytes) -> Ed25519PrivateKey:
    private: object = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):  # what they say may quote the key
        private = load_ssh_private_key(data, password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(
            Problem(
                str(path),
                "this is no Ed25519 key in OpenSSH's format, or it has a passphrase",
                "Make one: ssh-keygen -t ed25519 -N '' -C sjostad -f FILE",
            )
        )
    return private
