"""A bundle: manifest, card, golden vectors, writing, opening, and what runs its models."""
