"""One round of learning: what people's ratings are enough for, tried, judged and published."""
