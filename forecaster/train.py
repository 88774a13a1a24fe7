"""``python -m forecaster.train --packages FOLDER``: makes `temperature.npz` anew; about 40 minutes on one core.

For each length of history the model is fitted once with each group of places left out, which says how well it does at
places it has not seen and how wide its intervals must be, and then to all of them, which is what is shipped. The same
readings give the same file.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.fitting import Windows, fitted, measured, windows
from forecaster.persistence import DAY, LEADS
from forecaster.temperature import FILE, HISTORY_DAYS, Fit, Floats, packed
from forecaster.training_packages import training_places
from forecaster.training_places import Place

SHARE_H = 27_000
"""A place of more hours than this has its windows farther apart, so that it does not outweigh the others."""


def main() -> int:
    """Trains, prints a table of the places held out, writes the file."""
    parser = argparse.ArgumentParser(prog="python -m forecaster.train", description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, help="folder with what training_packages.py downloads")
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    places = training_places(options.packages)
    arrays: dict[str, NDArray[np.floating]] = {}
    for days in HISTORY_DAYS:
        arrays |= packed(_trained(places, days), days)
    np.savez_compressed(options.out, allow_pickle=False, **arrays)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB", file=sys.stderr)
    return 0


def _trained(places: list[Place], days: int) -> Fit:
    """Whatever the length of history, the origins are the same."""
    first = (max(HISTORY_DAYS) - days) * DAY
    learned = [windows(place, days, _step_h(place), first) for place in places]
    held_out: dict[str, tuple[Windows, Floats]] = {}
    for group in dict.fromkeys(place.group for place in places):
        fit = fitted([one for place, one in zip(places, learned, strict=True) if place.group != group])
        for place, one in zip(places, learned, strict=True):
            if place.group == group:
                held_out[place.name] = one, fit.centre(one.of)
                print(_line(place, days, *held_out[place.name]), flush=True)
    return measured(fitted(learned), [held_out[place.name] for place in places])


def _step_h(place: Place) -> int:
    """Between windows: 5, 11, 17, ..., which have no factor of 24, so that each hour of the day has its share."""
    return 6 * -(-len(place.values) // SHARE_H) - 1


def _line(place: Place, days: int, of: Windows, centre: Floats) -> str:
    """Mean absolute error of hours 1-24 and 25-48 in °C, and the skill over the same hour of the last day."""
    error = np.abs(of.target[:, :LEADS] - centre) * of.of.scale[:, None]
    naive = np.abs(np.tile(of.history[:, -DAY:], 2) - of.came[:, :LEADS])
    mae = [part.mean() for part in np.split(error, 2, axis=1)]
    skill = [1 - ours / part.mean() for ours, part in zip(mae, np.split(naive, 2, axis=1), strict=True)]
    return (
        f"{days:2d} days | {place.name:26s} | {len(error):5d} origins | "
        f"MAE {mae[0]:.2f} {mae[1]:.2f} °C | skill {skill[0]:.3f} {skill[1]:.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
