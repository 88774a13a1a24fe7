"""Colours of fuels: who sees less red, green or blue can tell them apart, too, and each is seen on both backgrounds.

Colour blindness as in Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
Deficiency" (2009), severity 1.0, on linear RGB. Differences are CIEDE2000 as in Sharma, Wu and Dalal, "The CIEDE2000
Color-Difference Formula: Implementation Notes" (2005), for D65. Contrast is that of WCAG 2.1.
"""

import itertools
from typing import Any

import numpy as np
import pytest

from dashboard.fuels import COLOURS, REGION_COLOURS
from dashboard.theme import THEME
from dashboard.views.meters import PERIOD_COLOURS
from dashboard.views.production import COLOURS as GROUP_COLOURS
from dashboard.views.weather import LINES

Floats = np.ndarray[Any, np.dtype[np.float64]]

SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
LEAST = {"normal": 12, "protan": 12, "deutan": 12, "tritan": 10}
"""How far two colours are apart at the least; few are tritan (one in ten thousand)."""
WHITE = (0.95047, 1.0, 1.08883)


PALETTES = {
    "fuels": COLOURS,
    "regions": REGION_COLOURS,
    "groups": GROUP_COLOURS,
    "periods": {f"period {number}": colour for number, colour in enumerate(PERIOD_COLOURS)},
    "temperatures": {name: colour for name, (colour, _) in LINES.items()},
}


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart(palette: str, sight: str) -> None:
    seen = {name: lab(colour, sight) for name, colour in PALETTES[palette].items()}
    pairs = {(one, other): difference(seen[one], seen[other]) for one, other in itertools.combinations(seen, 2)}
    nearest = min(pairs, key=pairs.__getitem__)
    assert pairs[nearest] > LEAST[sight], (nearest, pairs[nearest])


@pytest.mark.parametrize("background", ["light", "dark"])
def test_each_fuel_is_seen_on_the_background(background: str) -> None:
    behind = luminance(THEME[f"theme.{background}.backgroundColor"])
    for name, colour in COLOURS.items():
        low, high = sorted((luminance(colour), behind))
        assert (high + 0.05) / (low + 0.05) > 1.5, name


def test_the_difference_is_sharmas() -> None:
    assert difference(np.array([50, 2.6772, -79.7751]), np.array([50, 0, -82.7485])) == pytest.approx(2.0425, abs=1e-4)
    assert difference(np.array([50, 2.5, 0]), np.array([58, 24, 15])) == pytest.approx(19.4535, abs=1e-4)
    assert difference(np.array([2.0776, 0.0795, -1.135]), np.array([0.9033, -0.0636, -0.5514])) == pytest.approx(
        0.9082, abs=1e-4
    )


def linear(colour: str) -> Floats:
    part = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(np.array(TO_XYZ[1]) @ linear(colour))


def lab(colour: str, sight: str) -> Floats:
    seen = np.clip(np.array(SIGHT[sight]) @ linear(colour), 0, 1)
    of_white = np.array(TO_XYZ) @ seen / WHITE
    x, y, z = np.where(of_white > 216 / 24389, np.cbrt(of_white), (24389 / 27 * of_white + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: Floats, other: Floats) -> float:
    """CIEDE2000 of two colours in CIELAB."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    mean_h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    light, chroma = l2 - l1, c2 - c1
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    cosines = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    t = 1 + sum(weight * np.cos(np.radians(times * mean_h + shift)) for weight, times, shift in cosines)
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    blue = 60 * np.exp(-(((mean_h - 275) / 25) ** 2))
    r_t = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(np.radians(blue))
    terms = (light / s_l, chroma / s_c, hue / s_h)
    return float(np.sqrt(sum(term**2 for term in terms) + r_t * terms[1] * terms[2]))
