"""The author's own code beside the model: read and never executed."""
