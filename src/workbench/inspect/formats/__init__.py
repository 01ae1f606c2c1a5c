"""Readers of the file formats that hold models: containers, skops and native booster files."""
