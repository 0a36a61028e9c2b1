"""The front end, the listener, and what joins them to a network."""
