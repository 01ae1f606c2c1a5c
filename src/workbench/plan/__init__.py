"""Capacity plan: which sizes and how many instances hold a load, how quickly, for how much."""
