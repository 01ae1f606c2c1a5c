"""Make an API key, which is shown once, and explain how to require it."""

from __future__ import annotations

import hashlib
import secrets


def new_key() -> str:
    """Return a key and its hash as text for the terminal; the key is stored nowhere."""
    # 256 random bits need neither a salt nor a slow hash. Not in hexadecimal: the service refuses
    # a key in API_KEYS because it does not look like a hash.
    key = secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"""\
A new key. It is shown this once, and cannot be recovered from its hash:

    {key}

Set its hash; from then on every request needs a key:

    heroku config:set API_KEYS={digest}

Beside keys that are set already, so that callers can change over (later remove the old hash):

    heroku config:set API_KEYS="$(heroku config:get API_KEYS),{digest}"

Programs send Authorization: Bearer KEY; the pages ask for the key once."""
