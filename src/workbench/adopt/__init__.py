"""Adopt a model file: read the answers, decide contract and pins, write the project's files."""
