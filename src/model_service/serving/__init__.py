"""Between the web and the model: the prediction queue and the readiness check."""
