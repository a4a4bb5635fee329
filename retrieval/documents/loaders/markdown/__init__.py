"""What the dialects of Markdown add to it."""
