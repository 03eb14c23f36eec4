"""People connector: reads directory exports (SCIM, Okta, Entra, Google, CSV)."""
