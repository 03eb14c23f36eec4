"""Lineage: who stands behind an event, hop by hop, each with how it is known."""
