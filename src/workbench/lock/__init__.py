"""Pins and hashed lock files, Python interpreters, and the project's own environment."""
