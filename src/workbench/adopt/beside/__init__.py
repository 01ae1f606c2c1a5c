"""What lies beside the model: fitted files, and what they and the code say of it."""
