"""What was measured on this machine, beside the limits of the platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench import heroku
from workbench.doctor.findings import Result, error, ok, warning
from workbench.doctor.snapshot import Memory, Snapshot
from workbench.platforms.plans import plans_of
from workbench.platforms.registry import Platform

# The memory is measured with a few small requests; a large request takes more.
MEMORY_SHARE = 0.8
# A dyno can be half as fast as the machine that measures.
TIME_SHARE = 0.5


def check_slug(snapshot: Snapshot) -> Result:
    slug = snapshot.slug
    if isinstance(slug, Result):
        return slug
    found = f"about {slug.megabytes:.0f} of {heroku.SLUG_MEGABYTES} MB"
    if not slug.native:
        found += ", with the packages for this system"
    largest = ", ".join(f"{name} {size:.0f} MB" for name, size in slug.largest)
    if slug.megabytes > heroku.SLUG_MEGABYTES:
        advice = f"Take out of requirements.in what is not needed. The largest: {largest}."
        return error(found, advice)
    if slug.megabytes > heroku.SLOW_SLUG_MEGABYTES:
        limit = heroku.SLOW_SLUG_MEGABYTES
        return warning(found, f"Over {limit} MB it starts slower. The largest: {largest}.")
    return ok(found)


def check_boot(snapshot: Snapshot) -> Result:
    seconds = snapshot.boot_seconds
    if isinstance(seconds, Result):
        return seconds
    other = snapshot.elsewhere
    limit = other.platform.boot_seconds if other else heroku.BOOT_SECONDS
    advice = "A smaller model, or one saved without compression, loads faster."
    return _within(limit, seconds, f"ready after {seconds:.1f} of {limit} s", advice)


def check_prediction(snapshot: Snapshot) -> Result:
    latency = snapshot.latency
    if isinstance(latency, Result):
        return latency
    timeout = (snapshot.app or heroku.App()).predict_seconds
    other = snapshot.elsewhere
    allowed = other.platform.request_seconds if other else heroku.REQUEST_SECONDS
    limit = min(timeout, allowed)
    found = f"p95 {_duration(latency.seconds)} of {limit} s ({latency.requests} requests)"
    advice = f"The router gives up after {limit} s: make the model smaller."
    if timeout == limit:  # the service gives up before the router
        advice = (
            f"With PREDICT_SECONDS={limit} callers get 503 after {limit} s: make the model smaller "
            f"or raise it, to {allowed - 1} at most, before the router gives up."
        )
    return _within(limit, latency.seconds, found, advice)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _within(limit: float, seconds: float, found: str, advice: str) -> Result:
    """Judge a time that was measured on this machine against a limit of the platform."""
    if seconds > limit:
        return error(found, advice)
    if seconds > TIME_SHARE * limit:
        return warning(found, f"A dyno may be slower than this machine. {advice}")
    return ok(found)


def check_memory(snapshot: Snapshot) -> Result:
    memory = snapshot.memory
    if isinstance(memory, Result):
        return memory
    if snapshot.elsewhere is not None:
        return _memory_elsewhere(memory, snapshot.elsewhere.platform)
    dyno = (snapshot.app or heroku.App()).dyno or heroku.BASIC
    megabytes = memory.megabytes(memory.workers)
    noun = "worker" if memory.workers == 1 else "workers"
    found = (
        f"{'' if memory.exact else 'at most '}{megabytes:.0f} of {dyno.megabytes} MB "
        f"({memory.workers} {noun} in {dyno.name})"
    )
    if megabytes <= MEMORY_SHARE * dyno.megabytes:
        return ok(found)
    too_much = megabytes > dyno.megabytes and memory.exact
    advice = "; or ".join(_ways_to_fit(memory, dyno))
    return Result(
        "error" if too_much else "warning",
        found,
        f"{advice}." if advice else "No dyno is large enough: make the model smaller.",
    )


def _memory_elsewhere(memory: Memory, platform: Platform) -> Result:
    megabytes = memory.megabytes(1)
    if platform.megabytes is None:
        return ok(f"{megabytes:.0f} MB with one worker, on a server of your own")
    found = f"{megabytes:.0f} of {platform.megabytes} MB (one worker)"
    if megabytes <= MEMORY_SHARE * platform.megabytes:
        return ok(found)
    larger = next(
        (p for p in plans_of(platform.name) if MEMORY_SHARE * p.megabytes >= megabytes), None
    )
    advice = "Take a larger size in the platform's file, or make the model smaller."
    if larger is not None:
        price = f"{larger.megabytes} MB, ${larger.dollars:g} a {larger.unit}"
        advice = f"Take {larger.name} ({price})."
    too_much = megabytes > platform.megabytes and memory.exact
    return Result("error" if too_much else "warning", found, advice)


def _ways_to_fit(memory: Memory, dyno: heroku.Dyno) -> Iterator[str]:
    """Yield the fewer workers, and the smallest larger dyno, with which the service fits."""
    if workers := _fitting_workers(memory, dyno, range(1, memory.workers)):
        yield f"heroku config:set WEB_CONCURRENCY={workers}, and the same under env in app.json"
    for larger in heroku.DYNOS:
        if larger.megabytes > dyno.megabytes and (
            workers := _fitting_workers(memory, larger, range(1, larger.workers + 1))
        ):
            fewer = f" with WEB_CONCURRENCY={workers}" if workers < larger.workers else ""
            yield (
                f"heroku ps:scale web=1:{larger.name}{fewer} ({larger.megabytes} MB, "
                f"${larger.dollars} a month), and the same size in app.json"
            )
            return


def _fitting_workers(memory: Memory, dyno: heroku.Dyno, counts: Iterable[int]) -> int:
    """Return the largest of some worker counts with which the service fits; 0 for none."""
    room = MEMORY_SHARE * dyno.megabytes
    return max((count for count in counts if memory.megabytes(count) <= room), default=0)
