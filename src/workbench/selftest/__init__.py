"""Tests that pass for any adopted model."""
