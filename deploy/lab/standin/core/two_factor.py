"""The second factor: TOTP secrets, kept encrypted under CALENDSO_ENCRYPTION_KEY (FACTS §3, §6).

The key's text is taken as Latin-1 bytes for AES-256-CBC: any length but 32 fails here, and here first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from datetime import datetime

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_LENGTH = 32
STEP_SECONDS = 30


class KeyLengthError(Exception):
    """CALENDSO_ENCRYPTION_KEY has not exactly 32 characters."""


def cipher(key: str, iv: bytes) -> Cipher[modes.CBC]:
    """The cipher under this key. Raises KeyLengthError."""
    raw = key.encode("latin-1")
    if len(raw) != KEY_LENGTH:
        raise KeyLengthError
    return Cipher(algorithms.AES(raw), modes.CBC(iv))


def encrypted(text: str, key: str) -> str:
    """A text as `iv:ciphertext` in hexadecimal. Raises KeyLengthError."""
    iv = secrets.token_bytes(16)
    writer, padder = cipher(key, iv).encryptor(), padding.PKCS7(128).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    return f"{iv.hex()}:{(writer.update(padded) + writer.finalize()).hex()}"


def decrypted(stored: str, key: str) -> str:
    """The text behind `encrypted`. Raises KeyLengthError, or ValueError under another key."""
    iv, content = (bytes.fromhex(part) for part in stored.split(":"))
    reader, unpadder = cipher(key, iv).decryptor(), padding.PKCS7(128).unpadder()
    padded = reader.update(content) + reader.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


def new_secret() -> str:
    """A random secret in base 32, 32 characters."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, now: datetime) -> str:
    """The six digits that hold at a moment (RFC 6238, SHA-1, 30 seconds)."""
    counter = struct.pack(">Q", int(now.timestamp()) // STEP_SECONDS)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"
