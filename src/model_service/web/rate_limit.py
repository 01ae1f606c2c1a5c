"""Rate limit: REQUESTS_PER_MINUTE, counted in this process or, for all processes, in Redis."""

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

WINDOW_SECONDS = 60  # a minute of the clock, which all processes share
# How long a request waits for Redis, and how long after a failure Redis is not asked again.
REDIS_TIMEOUT_SECONDS, REDIS_PAUSE_SECONDS = 0.25, 10.0


class Counter(Protocol):
    """Counts requests by caller and window."""

    def count(self, caller: str, window: int) -> int:
        """Add one and return how many there were."""


class InProcess:
    """Counts the requests of this process in the current window."""

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
    """Counts the requests of all processes in Redis, or of this one while Redis does not answer."""

    def __init__(self, client: Any, failure: type[Exception], service: str) -> None:
        self._client, self._failure, self._service = client, failure, service
        self._fallback = InProcess()
        self._next_attempt = 0.0

    def count(self, caller: str, window: int) -> int:
        if monotonic() >= self._next_attempt:
            key = f"{self._service}:requests:{window}:{caller}"
            try:
                count, _ = (
                    self._client.pipeline().incr(key).expire(key, 2 * WINDOW_SECONDS).execute()
                )
                return int(count)
            except self._failure as error:
                self._next_attempt = monotonic() + REDIS_PAUSE_SECONDS
                message = "Redis does not answer (%s): for %d s each process counts by itself"
                logger.warning(message, type(error).__name__, REDIS_PAUSE_SECONDS)
        return self._fallback.count(caller, window)


def init_app(app: Flask, service: Service) -> None:
    """Refuse requests over the limit, if there is one. Raises SettingsError."""
    settings, name = service.settings, service.model.manifest.about.name
    if settings.requests_per_minute is None:
        return
    max_requests, counter = settings.requests_per_minute, _counter(settings.redis_url, name)

    @app.before_request
    def _count() -> None:
        policy = policy_of(app, request.endpoint)
        if policy is not None and not policy.is_limited:
            return
        window, spent = divmod(time(), WINDOW_SECONDS)
        if counter.count(_caller(), int(window)) > max_requests:
            wait = math.ceil(WINDOW_SECONDS - spent)
            detail = f"At most {max_requests} a minute are answered; ask again in {wait} s."
            raise RequestProblem(
                429, "Too many requests", detail, headers={"Retry-After": str(wait)}
            )


def asks_redis(settings: Settings) -> bool:
    """Return whether requests are counted in Redis."""
    return settings.requests_per_minute is not None and settings.redis_url is not None


def _counter(url: str | None, service: str) -> Counter:
    if url is None:
        return InProcess()
    try:
        # Installed only with REDIS_URL.
        import redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        logger.warning(
            "REDIS_URL is set and redis is not installed, so each process counts by itself: add "
            "redis to requirements.in, then make verify"
        )
        return InProcess()
    # Heroku's Redis has self-signed certificates. Only these counts could be read or forged.
    tls = {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            **(tls if url.startswith("rediss:") else {}),
        )
    except ValueError:  # the address can hold a password: do not show it
        raise SettingsError("REDIS_URL is no address of a Redis, such as redis://…:6379") from None
    return InRedis(client, redis.RedisError, service)


def _caller() -> str:
    """Return who is counted: the key if it is known, else the network."""
    key = auth.caller()
    return f"key {key[:8].hex()}" if key else network(request.remote_addr or "")


def network(address: str) -> str:
    """Return an IPv4 address, or the /64 network of an IPv6 address: one caller has all of it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    # A dual-stack socket writes IPv4 addresses like this.
    if mapped := parsed.ipv4_mapped:
        return str(mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
