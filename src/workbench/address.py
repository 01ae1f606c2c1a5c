"""The address of a running service, as a person gives it."""

from __future__ import annotations

import re

from workbench.errors import UserError


def service_address(url: str) -> str:
    """Return the address without a / or /predict at its end. Raises UserError for no address."""
    address = url.rstrip("/").removesuffix("/predict")
    if not re.match(r"https?://[^\s/]+", address):
        raise UserError(
            f"URL={url!r} is no address; give one such as https://my-app.herokuapp.com or "
            "http://localhost:8000"
        )
    return address


def not_reached(url: str, error: Exception) -> UserError:
    """Return the refusal of a service that cannot be asked."""
    reason = getattr(error, "reason", error)  # urllib wraps it
    ending = (
        "Is it running? Its log says more; here and on Heroku:",
        "make run",
        "heroku logs --tail",
    )
    return UserError(f"{url} cannot be asked: {reason}", ending)
