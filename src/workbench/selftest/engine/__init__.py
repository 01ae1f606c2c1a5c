"""Tests of the engine, which pass for every model alike."""
