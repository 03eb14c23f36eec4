"""Federation: verified tokens of pinned issuers, trust rules, and token exchange. Pure."""
