"""Tests whose result depends on the adopted model: its features, its values, its libraries."""
