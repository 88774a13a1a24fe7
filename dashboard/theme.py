"""Colours and shapes: of the pages, light and dark, and of what is drawn on them.

Series' colours are Okabe and Ito's ("Color Universal Design", 2008), which the colour-blind can tell apart. Fuels have
icons, states signs, and forecasts dashes besides; lines of prices and of production are told by colour, and on hover.
"""

from typing import Any

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#8A8F98"

THEME: dict[str, Any] = {
    "theme.light.primaryColor": BLUE,
    "theme.light.backgroundColor": "#FBFCFD",
    "theme.light.secondaryBackgroundColor": "#EEF2F6",
    "theme.light.textColor": "#17212B",
    "theme.dark.primaryColor": SKY,
    "theme.dark.backgroundColor": "#0F151B",
    "theme.dark.secondaryBackgroundColor": "#1A232C",
    "theme.dark.textColor": "#E6EBF0",
    "theme.baseRadius": "medium",
}
