"""A question in, a cited answer out. Knows nothing of Slack or of ratings."""
