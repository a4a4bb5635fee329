"""PDF: pages of words without an order, put back into blocks."""
