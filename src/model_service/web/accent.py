"""The owner's accent colour for both colour schemes, readable on their backgrounds (WCAG AA)."""

from __future__ import annotations

# The backgrounds of style.css: --paper and --tint of each scheme, the harder one to read on.
LIGHT_PAPER, DARK_PAPER = (0xE7, 0xEF, 0xF8), (0x1F, 0x2C, 0x3C)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
CONTRAST = 4.5  # of text, https://www.w3.org/TR/WCAG22/#contrast-minimum
STEPS = 40

Colour = tuple[int, int, int]


def stylesheet(accent: str) -> str:
    """Return CSS that sets the accent of both schemes from a colour such as #1b5aa0."""
    colour = (int(accent[1:3], 16), int(accent[3:5], 16), int(accent[5:7], 16))
    light, dark = readable(colour, LIGHT_PAPER), readable(colour, DARK_PAPER)
    return (
        f":root {{ {_properties(light)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_properties(dark)} }} }}\n"
    )


def readable(colour: Colour, paper: Colour) -> Colour:
    """Return the colour, mixed with black or white until it can be read on a background."""
    towards = BLACK if luminance(paper) > luminance(BLACK) + 0.5 else WHITE
    mixed = (_mix(colour, towards, step / STEPS) for step in range(STEPS + 1))
    return next(c for c in mixed if contrast(c, paper) >= CONTRAST)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _properties(accent: Colour) -> str:
    on_accent = max((BLACK, WHITE), key=lambda colour: contrast(colour, accent))
    return f"--accent: {_hex(accent)}; --on-accent: {_hex(on_accent)};"


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of WCAG 2: 1 (the same) to 21 (black on white)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: Colour) -> float:
    """Return the relative luminance of WCAG 2, from 0 (black) to 1 (white)."""
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
