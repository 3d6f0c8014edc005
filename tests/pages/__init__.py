"""The page in a real browser, and the API under invented requests."""
