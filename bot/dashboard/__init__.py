"""A window in the browser: how the bot does, for who would rather look than read."""
