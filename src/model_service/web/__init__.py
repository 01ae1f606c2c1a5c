"""The Flask application: routes, pages, authentication, limits, logs and metrics."""
