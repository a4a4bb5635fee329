"""Learning small classifiers: will this answer be right, is this a question for us."""
