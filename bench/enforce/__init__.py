"""The decision point: what each tier costs, reloads, memory, and its law at length."""
