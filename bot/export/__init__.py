"""From the conversation log to data sets: the one place where what people said leaves it."""
