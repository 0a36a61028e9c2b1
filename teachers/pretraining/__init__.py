"""Pre-training of M2D and M2D-X: clips and their mixture, the loop, and what it leaves behind."""
