"""What students take of a device before they are trained, and the largest that fits."""
