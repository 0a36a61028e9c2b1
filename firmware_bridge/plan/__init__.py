"""What a model takes of a device before anything is built."""
