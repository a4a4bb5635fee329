"""How much readers keep of files of every type."""
