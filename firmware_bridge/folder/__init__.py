"""The written folder: network, front end, golden vectors, build files."""
