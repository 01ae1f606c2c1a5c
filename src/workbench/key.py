"""A new API key, shown once, and how to let the service ask for it."""

from __future__ import annotations

import hashlib
import secrets


def new_key() -> str:
    """Return a key and its hash as text for the terminal; the key is kept nowhere."""
    # 256 random bits: no salt and no slow hash make it harder to guess. Not in hexadecimal, so
    # that the service can tell a key from a hash, and refuse it as one.
    key = secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"""\
A new key, shown this once; nothing but its hash can be found again:

    {key}

Set its hash, and every caller needs the key:

    heroku config:set API_KEYS={digest}

Beside keys that are set already, so that callers can change over (later take the old hash out):

    heroku config:set API_KEYS="$(heroku config:get API_KEYS),{digest}"

Programs send Authorization: Bearer KEY; the pages ask for the key once."""
