"""The tests, and what knocks, visits and listens for them."""
