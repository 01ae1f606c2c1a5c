"""Facts about fitted estimators and transformers, read from their pickled state."""
