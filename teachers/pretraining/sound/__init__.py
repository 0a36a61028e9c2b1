"""What a pre-training hears: clips, their batches, noise, and who takes which."""
