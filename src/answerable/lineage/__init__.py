"""Lineage: the chain behind an event, hop by hop, each with its evidence."""
