"""What axe-core finds wrong with a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
# A colour on its way to another one is neither.
SETTLED = """Promise.allSettled(
    document.getAnimations()
        .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
        .map((animation) => animation.finished)
).then(() => null)"""


def axe(page: Page) -> list[str]:
    """Return one text for each element that breaks a rule of WCAG 2.1 A, AA or good practice."""
    page.evaluate(SETTLED)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html']}\n{node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
    ]
