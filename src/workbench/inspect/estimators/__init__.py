"""Read facts about fitted estimators and transformers from their pickled state."""
