"""Find how one identity can become another (attack paths): edges, graph, search."""
