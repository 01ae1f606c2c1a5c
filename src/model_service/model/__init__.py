"""The adopted model: its manifest, loading it (the only code that unpickles), and predicting."""
