"""A generation of the index: its content, building, loading, comparing; and the search in it."""
