"""Presentation shared by all interfaces: safe text, ages, coverage. Pure."""
