"""Pictures of what a student hears, and what they share."""
