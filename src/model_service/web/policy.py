"""The rules of a route, declared beside it: key, rate limit, other origins, place in the menu.

    from model_service import policy

    @app.get("/branches")
    @policy(needs_key=False)
    def branches() -> dict[str, list[str]]: ...

A route without a policy has the defaults: it needs a key if there are keys, counts towards the rate
limit, and scripts of other sites cannot read its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Policy:
    """What holds for a route."""

    needs_key: bool = True  # if API_KEYS is set
    is_limited: bool = True  # by REQUESTS_PER_MINUTE
    is_cross_origin: bool = False  # scripts of CORS_ORIGINS can read its answers
    csv_limit: str = "max_csv_bytes"  # the setting that limits a CSV, also one in a form
    menu: str | None = None  # its name in the menu of the pages; its address has no variables


DEFAULT = Policy()
# For what is asked again and again, costs little, and tells nothing about the model.
PUBLIC = Policy(needs_key=False, is_limited=False)


def policy(
    *,
    needs_key: bool = True,
    is_limited: bool = True,
    is_cross_origin: bool = False,
    csv_limit: str = "max_csv_bytes",
    menu: str | None = None,
) -> Callable[[View], View]:
    """Give a view function a policy; stands below the decorator of the route."""
    declared = Policy(needs_key, is_limited, is_cross_origin, csv_limit, menu)

    def declare(view: View) -> View:
        set_policy(view, declared)
        return view

    return declare


def set_policy(view: Callable[..., Any], declared: Policy) -> None:
    """Give a view function that is defined elsewhere a policy."""
    view.policy = declared  # type: ignore[attr-defined]  # functions take any attribute


def policy_of(app: Flask, endpoint: str | None) -> Policy | None:
    """Return the policy of an endpoint; None if there is no such route."""
    view = app.view_functions.get(endpoint or "")
    return None if view is None else getattr(view, "policy", DEFAULT)


def menu_of(app: Flask) -> dict[str, str]:
    """Return the endpoints of the pages in the menu, and their names."""
    policies = {endpoint: policy_of(app, endpoint) for endpoint in app.view_functions}
    return {
        endpoint: found.menu
        for endpoint, found in policies.items()
        if found is not None and found.menu is not None
    }
