"""The table of figures: for a terminal, as Markdown for the README, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from bench.figures import Figure

HEADINGS = ("figure", "measured", "beside", "ratio", "noise", "goal", "verdict")


def cells(figure: Figure) -> tuple[str, ...]:
    """One line."""
    return (
        figure.name,
        figure.measured,
        figure.beside,
        "" if figure.ratio is None else f"{figure.ratio:.2f}x",
        "" if figure.noise is None else f"±{figure.noise:.0%}",
        figure.goal,
        figure.verdict,
    )


def terminal(figures: Sequence[Figure]) -> str:
    """Columns of equal width, remarks below."""
    rows = [HEADINGS, *map(cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    remarks = [f"  {figure.name}: {figure.remark}" for figure in figures if figure.remark]
    return "\n".join([*lines, "", *remarks])


def markdown(figures: Sequence[Figure], machine: str, notes: Sequence[str]) -> str:
    """A table with its date and its machine."""
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `make bench` ({machine}). Ratios compare programs that took turns"
        " in one run; noise is the same program against itself from round to round.",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|" + "---|" * len(HEADINGS),
        *("| " + " | ".join(cells(figure)) + " |" for figure in figures),
        "",
        *(f"- {note}" for note in notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def as_json(figures: Sequence[Figure], machine: str, notes: Sequence[str]) -> str:
    """Everything."""
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [asdict(figure) for figure in figures],
        "notes": list(notes),
    }
    return json.dumps(document, indent=2) + "\n"
