"""Draw SVG diagrams that work without scripts. Pure."""
