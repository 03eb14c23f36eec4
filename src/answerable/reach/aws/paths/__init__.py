"""Steps between identities, each with its proof. Start at `identity_graph`."""
