"""Makes rows to learn from out of the documents, with the help of a stronger model."""
