"""SSHSIG, the format of detached signatures that `ssh-keygen -Y` makes and verifies.

Source: OpenSSH, PROTOCOL.sshsig. Only what is made here is accepted: Ed25519 keys, SHA-512 or
SHA-256, version 1, nothing reserved, not a byte more. No key is looked for here: who may sign is
for `lakehouse.signatures` to say.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Final

KEY_TYPE: Final = b"ssh-ed25519"
MADE_WITH: Final = "sha512"
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASHES: Final = ("sha512", "sha256")
_WIDTH: Final = 70
_LARGEST: Final = 4096
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----"
_ARMOR: Final = re.compile(
    re.escape(_BEGIN) + rb"((?:[A-Za-z0-9+/=]{1,76}\n)+)" + re.escape(_END) + rb"\n?"
)


class Malformed(ValueError):
    """Bytes are not what the format says; the message says where."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature file says.

    Attributes:
        key: Public key, 32 bytes.
        namespace: What the signature is for.
        hash_name: Hash that the message was reduced with.
        signed: 64 bytes over `to_sign`.
    """

    key: bytes
    namespace: str
    hash_name: str
    signed: bytes


def to_sign(message: bytes, namespace: str, hash_name: str = MADE_WITH) -> bytes:
    """The bytes that the key signs for a message."""
    digest = hashlib.new(hash_name, message).digest()
    parts = (namespace.encode(), b"", hash_name.encode(), digest)
    return _MAGIC + b"".join(map(string, parts))


def armored(signature: Signature) -> bytes:
    """The signature as a file."""
    blob = _MAGIC + struct.pack(">I", _VERSION)
    for part in (
        public_blob(signature.key),
        signature.namespace.encode(),
        b"",
        signature.hash_name.encode(),
        string(KEY_TYPE) + string(signature.signed),
    ):
        blob += string(part)
    text = base64.b64encode(blob)
    lines = [text[start : start + _WIDTH] + b"\n" for start in range(0, len(text), _WIDTH)]
    return _BEGIN + b"".join(lines) + _END + b"\n"


def parsed(data: bytes) -> Signature:
    """Read a signature file.

    Raises:
        Malformed: It is not exactly what the format allows.
    """
    found = _ARMOR.fullmatch(data) if len(data) <= _LARGEST else None
    if found is None:
        raise Malformed("it does not stand between the lines BEGIN and END SSH SIGNATURE alone")
    reader = _Reader(unbase64(found[1].replace(b"\n", b"")))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.take(4) != struct.pack(">I", _VERSION):
        raise Malformed("it is not version 1 of SSHSIG")
    key = public_key(reader.string())
    namespace, reserved, hash_name = reader.text(), reader.string(), reader.text()
    inner = _Reader(reader.string())
    reader.end()
    if reserved:
        raise Malformed("the reserved field is in use")
    if hash_name not in _HASHES:
        raise Malformed(f"the hash algorithm is {hash_name!r}, not sha512 or sha256")
    if inner.string() != KEY_TYPE:
        raise Malformed("it was not made by an Ed25519 key")
    signed = inner.string()
    inner.end()
    if len(signed) != 64:
        raise Malformed(f"the signature has {len(signed)} bytes, not 64")
    return Signature(key, namespace, hash_name, signed)


def public_blob(key: bytes) -> bytes:
    """A public key as the wire has it."""
    return string(KEY_TYPE) + string(key)


def public_key(blob: bytes) -> bytes:
    """The 32 bytes of an Ed25519 key in a blob of the wire.

    Raises:
        Malformed: It is of another type or length.
    """
    reader = _Reader(blob)
    if reader.string() != KEY_TYPE:
        raise Malformed("the key is no Ed25519 key")
    key = reader.string()
    reader.end()
    if len(key) != 32:
        raise Malformed(f"the key has {len(key)} bytes, not 32")
    return key


def string(data: bytes) -> bytes:
    """A string of RFC 4251: its length in four bytes, and it."""
    return struct.pack(">I", len(data)) + data


def unbase64(text: bytes) -> bytes:
    """Base64 that is written as it would be written again.

    Raises:
        Malformed: It has other characters or loose bits at the end.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Malformed("it is not base64") from None
    if base64.b64encode(data) != text:
        raise Malformed("its base64 has loose bits at the end")
    return data


class _Reader:
    """Takes fields from bytes, never past their end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise Malformed("it ends too early")
        self._at += size
        return taken

    def string(self) -> bytes:
        (size,) = struct.unpack(">I", self.take(4))
        return self.take(size)

    def text(self) -> str:
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError:
            raise Malformed("a field that should be plain ASCII is not") from None

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed(f"{len(self._data) - self._at} bytes follow its end")
