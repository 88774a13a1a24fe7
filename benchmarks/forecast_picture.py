"""The error by horizon as a picture: plain SVG, readable on white and on black."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 44, 48
COLOURS = ("#0b7285", "#868e96", "#e8590c", "#5f3dc4", "#a61e4d", "#2b8a3e", "#1864ab")
LABELS = {
    "skywatt": "Skywatt",
    "seasonal_naive": "seasonal naive",
    "profile_ar1": "profile + AR(1)",
    "mstl": "MSTL",
    "auto_ets": "AutoETS *",
    "auto_arima": "AutoARIMA *",
    "prophet": "Prophet *",
}
LABEL_GAP = 15


def picture(errors: Mapping[str, NDArray[np.float64]]) -> str:
    """SVG of the mean absolute error (°C, by lead) of each forecaster."""
    most = float(np.ceil(max(error.max() for error in errors.values())))
    leads = len(next(iter(errors.values())))

    def x(lead: float) -> float:
        return LEFT + (lead - 1) / (leads - 1) * (WIDTH - LEFT - RIGHT)

    def y(error: float) -> float:
        return HEIGHT - BOTTOM - error / most * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui,sans-serif" '
        'font-size="13" role="img" aria-label="Mean absolute error of each forecaster by hours ahead">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="15">Mean absolute error by hours ahead, °C: New York 2013</text>',
    ]
    for error in range(int(most) + 1):
        parts.append(f'<path d="M{LEFT} {y(error):.1f}H{WIDTH - RIGHT}" stroke="#dee2e6"/>')
        parts.append(f'<text x="{LEFT - 10}" y="{y(error) + 4:.1f}" text-anchor="end">{error}</text>')
    for lead in (1, 6, 12, 18, 24, 30, 36, 42, 48):
        parts.append(f'<text x="{x(lead):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{lead}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">hours ahead</text>')
    for place, (name, colour) in zip(
        _places([y(error[-1]) for error in errors.values()]), _coloured(errors), strict=True
    ):
        points = " ".join(f"{x(i + 1):.1f},{y(value):.1f}" for i, value in enumerate(errors[name]))
        width = 3.5 if name == "skywatt" else 1.8
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        label = LABELS.get(name, name)
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{place + 4:.1f}" fill="{colour}">{label}</text>')
    if any(LABELS.get(name, "").endswith("*") for name in errors):
        parts.append(
            f'<text x="{WIDTH - 8}" y="{HEIGHT - 8}" text-anchor="end" font-size="11">* on fewer origins</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _coloured(errors: Mapping[str, NDArray[np.float64]]) -> list[tuple[str, str]]:
    return [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(errors)]


def _places(wanted: list[float]) -> list[float]:
    """Heights of the labels: as wanted, but none upon another."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + LABEL_GAP)
    return placed
