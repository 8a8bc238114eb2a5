"""axe-core on a page: what it finds that is serious or critical."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

GRAVE = ("serious", "critical")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def grave_faults(page: Page, packages: Path) -> list[str]:
    """Each as ``rule: element``. The page's own policy forbids scripts from elsewhere, so axe runs beside it.

    packages: the folder with ``node_modules``.
    """
    script = (packages / "node_modules" / "axe-core" / "axe.min.js").read_text()
    page.evaluate(script)
    found: Any = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
