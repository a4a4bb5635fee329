"""Whether what was learned may be published, and how the published does."""
