"""What jobs add to a plan: worker dynos, a database, and its connections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.plan.sizes import Option, Sizing
from workbench.platforms.plans import DatabasePlan, Plan

# Besides one for each process: the release phase, and a person.
OTHER_CONNECTIONS = 2


@dataclass(frozen=True)
class JobsPlan:
    """The worker dynos and the database of a plan; None where no size is large enough."""

    workers: int
    dyno: Plan | None
    database: DatabasePlan | None
    connections: int

    @property
    def dollars(self) -> float | None:
        """Return what they cost a month, without the web dynos."""
        if self.dyno is None or self.database is None:
            return None
        return self.workers * self.dyno.dollars + self.database.dollars


def plan_jobs(
    sizing: Sizing, web: Option, dynos: Sequence[Plan], databases: Iterable[DatabasePlan]
) -> JobsPlan:
    """Return the cheapest dyno that holds one worker, and the cheapest database for all.

    The worker's dyno is of the kind of the web's: Basic is not mixed with those that scale.
    """
    workers = sizing.need.job_workers
    fitting = (p for p in dynos if p.scales == web.plan.scales and sizing.workers(p, 1))
    connections = web.count * web.workers + workers + OTHER_CONNECTIONS
    enough = (database for database in databases if database.connections >= connections)
    return JobsPlan(workers, next(fitting, None), next(enough, None), connections)
