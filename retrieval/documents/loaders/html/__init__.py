"""An HTML page as a reader sees it."""
