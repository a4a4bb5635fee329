"""What the bot keeps: the database, the inbox of work and the conversation log."""
