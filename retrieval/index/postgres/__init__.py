"""The index in a Postgres with pgvector: N workers share it, and none holds it in memory."""
