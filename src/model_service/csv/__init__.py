"""CSV batches: read rows, predict them, write the same rows with their predictions."""
