"""SVG diagrams, usable without scripts. Pure."""
