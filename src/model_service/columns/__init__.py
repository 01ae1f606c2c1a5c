"""From the contract's features to the columns that the model was trained on."""
