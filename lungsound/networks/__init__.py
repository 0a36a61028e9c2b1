"""Published networks that a teacher and a student may both be made of."""
