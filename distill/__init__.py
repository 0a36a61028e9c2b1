"""Distillation: losses, stored teacher outputs, and the training of students."""
