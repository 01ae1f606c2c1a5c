"""Verify: prove in a clean environment that the pinned libraries load the model and predict."""
