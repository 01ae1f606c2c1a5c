"""The platforms: what each one's file is, how many proxies it has, and what it allows.

What stands here is from the platforms' documentation, August 2026 unless a price says otherwise. No
number was tried on the platform itself: docs/how-to/other-platforms.md says so for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.platforms import renderers
from workbench.platforms.renderers import Facts


@dataclass(frozen=True)
class Jobs:
    """What to type for jobs before the first deployment and after it; or why there are none."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    impossible: str = ""


@dataclass(frozen=True)
class Platform:
    """One platform.

    `proxies` are the addresses at the end of X-Forwarded-For that the platform adds. If that is not
    documented it is the smaller number: callers then share a rate limit, and none can forge an
    address.
    """

    name: str
    title: str
    render: Callable[[Facts], dict[str, str]]
    proxies: int
    builds_image: bool  # from the Dockerfile; False: with a buildpack, from requirements.txt
    prepare: tuple[str, ...]  # what to type first, with {name} for the project's name
    deploy: tuple[str, ...]  # and then
    by_hand: str = ""  # what the file cannot set
    megabytes: int | None = None  # of the size in its file; None: a server of your own
    boot_seconds: int = 60
    request_seconds: int = 60
    oldest_python: str = "3.10"
    jobs: Jobs = field(default_factory=Jobs)

    def steps(self, *, jobs: bool) -> tuple[str, ...]:
        """Return all that is to be typed, for a project that takes jobs or for another one."""
        before, after = (self.jobs.before, self.jobs.after) if jobs else ((), ())
        return (*self.prepare, *before, *self.deploy, *after)


_COMMIT = "git add --all && git commit -m 'Deploy to {title}'"

_ALL = (
    Platform(
        "render",
        "Render",
        renderers.render,
        proxies=3,
        builds_image=True,
        prepare=(_COMMIT,),
        deploy=("git push", "# then New > Blueprint on dashboard.render.com"),
        megabytes=512,
        boot_seconds=900,
        request_seconds=6000,
    ),
    Platform(
        "railway",
        "Railway",
        renderers.railway,
        proxies=1,
        builds_image=True,
        prepare=(_COMMIT,),
        deploy=("railway init && railway config apply && railway up",),
        megabytes=8192,
        boot_seconds=300,
        request_seconds=300,
        jobs=Jobs(after=("railway up --service {name}-worker",)),
    ),
    Platform(
        "fly",
        "Fly.io",
        renderers.fly,
        proxies=2,
        builds_image=True,
        prepare=(_COMMIT, "fly apps create {name}"),
        deploy=("fly deploy",),
        megabytes=512,
        jobs=Jobs(
            before=("fly mpg create", "fly mpg attach CLUSTER --app {name}  # sets DATABASE_URL"),
        ),
    ),
    Platform(
        "cloudrun",
        "Cloud Run",
        renderers.cloudrun,
        proxies=1,
        builds_image=True,
        prepare=("# write your image's REGION, PROJECT and REPOSITORY into service.yaml, and:",),
        deploy=(
            "gcloud builds submit --tag REGION-docker.pkg.dev/PROJECT/REPOSITORY/{name}",
            "gcloud run services replace service.yaml",
        ),
        by_hand="Who may call it: gcloud run services add-iam-policy-binding.",
        jobs=Jobs(
            impossible="a Cloud Run service gets CPU for requests only; deploy the image a second "
            "time, as a worker pool (gcloud run worker-pools deploy)"
        ),
        megabytes=512,
        boot_seconds=240,
        request_seconds=30,
    ),
    Platform(
        "spaces",
        "Hugging Face Spaces",
        renderers.spaces,
        proxies=1,
        builds_image=True,
        prepare=(_COMMIT,),
        deploy=("git push https://huggingface.co/spaces/OWNER/{name} HEAD:main",),
        by_hand="API_KEYS and other config vars: Settings > Variables and secrets.",
        jobs=Jobs(impossible="a Space runs one container with one command"),
        megabytes=16384,
        boot_seconds=1800,
    ),
    Platform(
        "scalingo",
        "Scalingo",
        renderers.scalingo,
        proxies=1,
        builds_image=False,
        prepare=(_COMMIT, "scalingo create {name}"),
        deploy=("git push scalingo HEAD:main",),
        by_hand=(
            "scalingo.json is read for review apps and one-click deployments; of an app that you "
            "push to: scalingo env-set TRUSTED_PROXIES=1"
        ),
        megabytes=512,
        request_seconds=60,
        oldest_python="3.11",
        jobs=Jobs(
            before=(
                "scalingo --app {name} addons-add postgresql postgresql-starter-512",
                "scalingo --app {name} env-set JOBS=on",
            ),
            after=("scalingo --app {name} scale worker:1",),
        ),
    ),
    Platform(
        "dokku",
        "Dokku",
        renderers.dokku,
        proxies=1,
        builds_image=True,
        prepare=(_COMMIT, "ssh dokku@HOST apps:create {name}"),
        deploy=(
            "ssh dokku@HOST config:set {name} TRUSTED_PROXIES=1",
            "git push dokku@HOST:{name} HEAD:main",
            f"ssh dokku@HOST ports:set {{name}} http:80:{renderers.PORT}",
        ),
        jobs=Jobs(
            before=(
                "# with the plugin dokku-postgres:",
                "ssh dokku@HOST postgres:create {name}",
                "ssh dokku@HOST postgres:link {name} {name}",
                "ssh dokku@HOST config:set {name} JOBS=on",
            ),
        ),
    ),
    Platform(
        "captain",
        "CapRover",
        renderers.captain,
        proxies=1,
        builds_image=True,
        prepare=(_COMMIT,),
        deploy=("caprover deploy --appName {name} --branch main",),
        by_hand=f"Container HTTP Port in the app's HTTP settings: {renderers.PORT}.",
        jobs=Jobs(
            impossible="a CapRover app runs one command; make a second app of the same files with "
            f"CMD {json.dumps(renderers.WORKER.split())} in its Dockerfile"
        ),
    ),
    Platform(
        "heroku-fir",
        "Heroku's Fir generation",
        renderers.heroku_fir,
        proxies=1,
        builds_image=False,
        prepare=(_COMMIT, "heroku create {name} --space SPACE"),
        deploy=("git push heroku HEAD:main",),
        megabytes=512,
        request_seconds=30,
        jobs=Jobs(
            before=("heroku addons:create heroku-postgresql", "heroku config:set JOBS=on"),
            after=("heroku ps:scale worker=1",),
        ),
    ),
)
PLATFORMS = {platform.name: platform for platform in _ALL}
