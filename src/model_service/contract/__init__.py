"""features.json: the features of a request and how they are validated. Standard library only."""
