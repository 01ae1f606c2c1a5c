"""gunicorn's worker and hooks. Speaks HTTP/1.1 and WSGI, and imports no Flask."""
