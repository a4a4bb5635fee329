"""From a question to a cited answer: evidence, confidence, prompt, checked sentences, card."""
