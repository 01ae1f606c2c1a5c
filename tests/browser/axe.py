"""Accessibility checks of a page with axe-core."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
# Colours are only checked once CSS transitions have ended.
SETTLED = """Promise.allSettled(
    document.getAnimations()
        .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
        .map((animation) => animation.finished)
).then(() => null)"""


def axe(page: Page) -> list[str]:
    """Return one text for each element that violates WCAG 2.1 A or AA, or a best practice."""
    page.evaluate(SETTLED)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html']}\n{node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
    ]
