"""Convert documents to formats of other tools: SARIF, OCSF, CycloneDX."""
