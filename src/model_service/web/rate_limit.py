"""How often a caller may ask: REQUESTS_PER_MINUTE, counted here or, for all processes, in Redis."""

from __future__ import annotations

import ipaddress
import logging
import math
import threading
from time import monotonic, time
from typing import Any, Protocol

from flask import Flask, request

from model_service.web import auth
from model_service.web.current import Service
from model_service.web.errors import RequestProblem
from model_service.web.policy import policy_of
from model_service.web.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

WINDOW = 60  # seconds, from minute to minute of the clock, which all processes share
# Seconds that a request waits for Redis at most, and that none waits after it did not answer.
TIMEOUT, PAUSE = 0.25, 10.0


class Counter(Protocol):
    """Counts requests by caller and window."""

    def count(self, caller: str, window: int) -> int:
        """Add one and return how many there were."""


class InProcess:
    """Counts the requests that this process gets; what it holds is forgotten each minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def count(self, caller: str, window: int) -> int:
        with self._lock:
            if window > self._window:
                self._window, self._counts = window, {}
            self._counts[caller] = count = self._counts.get(caller, 0) + 1
            return count


class InRedis:
    """Counts in Redis what all processes get, and in this one while Redis does not answer."""

    def __init__(self, client: Any, failure: type[Exception], service: str) -> None:
        self._client, self._failure, self._service = client, failure, service
        self._meanwhile = InProcess()
        self._asked_again = 0.0

    def count(self, caller: str, window: int) -> int:
        if monotonic() >= self._asked_again:
            key = f"{self._service}:requests:{window}:{caller}"
            try:
                count, _ = self._client.pipeline().incr(key).expire(key, 2 * WINDOW).execute()
                return int(count)
            except self._failure as error:
                self._asked_again = monotonic() + PAUSE
                said = "Redis does not answer (%s): for %d s each process counts by itself"
                logger.warning(said, type(error).__name__, PAUSE)
        return self._meanwhile.count(caller, window)


def init_app(app: Flask, service: Service) -> None:
    """Refuse what is over the limit, if there is one. Raises SettingsError."""
    settings, name = service.settings, service.model.manifest.name
    if settings.requests_per_minute is None:
        return
    most, counter = settings.requests_per_minute, _counter(settings.redis_url, name)

    @app.before_request
    def _count() -> None:
        policy = policy_of(app, request.endpoint)
        if policy is not None and not policy.is_limited:
            return
        window, spent = divmod(time(), WINDOW)
        if counter.count(_caller(), int(window)) > most:
            wait = math.ceil(WINDOW - spent)
            detail = f"At most {most} a minute are answered; ask again in {wait} s."
            raise RequestProblem(
                429, "Too many requests", detail, headers={"Retry-After": str(wait)}
            )


def asks_redis(settings: Settings) -> bool:
    """Tell whether requests may be counted in Redis."""
    return settings.requests_per_minute is not None and settings.redis_url is not None


def _counter(url: str | None, service: str) -> Counter:
    if url is None:
        return InProcess()
    try:
        # Only who sets REDIS_URL needs it.
        import redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        logger.warning(
            "REDIS_URL is set and redis is not installed, so each process counts by itself: add "
            "redis to requirements.in, then make verify"
        )
        return InProcess()
    # Heroku signs its certificates itself. What others could learn or forge are these counts.
    tls = {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            **(tls if url.startswith("rediss:") else {}),
        )
    except ValueError:  # the address may hold a password: do not show it
        raise SettingsError("REDIS_URL is no address of a Redis, such as redis://…:6379") from None
    return InRedis(client, redis.RedisError, service)


def _caller() -> str:
    """Name the caller: by its key if that is known, else by its network."""
    key = auth.caller()
    return f"key {key[:8].hex()}" if key else network(request.remote_addr or "")


def network(address: str) -> str:
    """Return an address of IPv4, or the /64 of IPv6 in which a caller has all addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    # A socket that takes both writes IPv4 like this.
    if mapped := parsed.ipv4_mapped:
        return str(mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
