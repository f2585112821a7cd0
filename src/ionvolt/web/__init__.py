"""The web page and the API behind it. May use every other room; no room uses it."""
