"""The legs of search, each by itself: vectors, words, and how their hits become one list."""
