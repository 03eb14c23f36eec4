"""Pictures as SVG, readable without script. Pure: values in, text out."""
