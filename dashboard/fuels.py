"""What facilities run on: each fuel's colour and icon. The icons' shapes differ, so that no colour is needed."""

from base64 import b64encode

from dashboard.theme import BLUE, GREEN, ORANGE, PINK, SKY, VERMILION

COLOURS = {
    "coal": "#4A4F57",
    "gas": VERMILION,
    "distillate": "#8C564B",
    "bioenergy": "#5A2D82",
    "hydro": BLUE,
    "wind": GREEN,
    "solar": ORANGE,
    "battery": PINK,
    "unknown": "#C6CAD0",
}
"""In the order in which they are told: what burns first."""

REGION_COLOURS = {"NSW1": BLUE, "QLD1": VERMILION, "SA1": ORANGE, "TAS1": GREEN, "VIC1": PINK, "WEM": SKY}

_GLYPHS = {
    "coal": '<path d="M18 40l6-14 12-4 12 8 0 12-10 6-14-1z"/>',
    "gas": '<path d="M33 14c2 9 13 14 13 25a14 13 0 0 1-28 0c0-7 5-9 7-15 3 3 4 5 4 8 4-5 5-11 4-18z"/>',
    "distillate": '<path d="M22 18h20v5H22zM22 26h20v14H22zM22 43h20v5H22z"/>',
    "bioenergy": '<path d="M48 16c0 20-6 30-22 28-2-16 6-26 22-28zM24 48l12-18" stroke-width="3"/>',
    "hydro": '<path d="M32 13c7 10 14 17 14 25a14 13 0 0 1-28 0c0-8 7-15 14-25z"/>',
    "wind": '<path d="M32 30L30 10l5 1zM33 31l18 9-4 4zM31 31L14 42l-1-5zM31 33h3l1 19h-5z"/>'
    '<circle cx="32" cy="31" r="3"/>',
    "solar": '<circle cx="32" cy="32" r="9"/><path d="M30 10h4v9h-4zM30 45h4v9h-4zM10 30h9v4h-9zM45 30h9v4h-9z'
    'M16 19l3-3 6 6-3 3zM45 48l3-3-6-6-3 3zM48 19l-3-3-6 6 3 3zM19 48l-3-3 6-6 3 3z"/>',
    "battery": '<path d="M27 13h10v5h7v34H20V18h7zM35 23l-10 14h6l-2 11 10-14h-6z" fill-rule="evenodd"/>',
    "unknown": '<circle cx="32" cy="32" r="7" fill="#4A4F57"/>',
}
ICON = 64
"""A picture's side, in its own pixels."""


def icon_mapping() -> dict[str, dict[str, int]]:
    """Where each fuel's icon is in the atlas, as deck.gl's IconLayer wants it."""
    return {
        fuel: {"x": number * ICON, "y": 0, "width": ICON, "height": ICON, "anchorY": ICON // 2}
        for number, fuel in enumerate(COLOURS)
    }


def icon_atlas() -> str:
    """All icons side by side, as a data URL."""
    icons = "".join(
        f'<g transform="translate({number * ICON} 0)"><circle cx="32" cy="32" r="29" fill="{colour}" stroke="#fff" '
        f'stroke-width="4"/><g fill="#fff" stroke="#fff" stroke-width="0">{_GLYPHS[fuel]}</g></g>'
        for number, (fuel, colour) in enumerate(COLOURS.items())
    )
    picture = f'<svg xmlns="http://www.w3.org/2000/svg" width="{ICON * len(COLOURS)}" height="{ICON}">{icons}</svg>'
    return f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"


def legend_icon(fuel: str) -> str:
    """A fuel's icon alone, as a data URL."""
    glyph = _GLYPHS.get(fuel, _GLYPHS["unknown"])
    colour = COLOURS.get(fuel, COLOURS["unknown"])
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="20" height="20"><circle cx="32" cy="32" '
        f'r="30" fill="{colour}"/><g fill="#fff">{glyph}</g></svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"
