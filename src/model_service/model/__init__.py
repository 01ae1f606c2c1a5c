"""The adopted model: its manifest, loading it, and predicting. Only loading.py unpickles."""
