"""Programs that show what Whimbrel does, and the documents they show it with."""
