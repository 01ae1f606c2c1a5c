"""The engine: serves one fitted model over HTTP. app.py in the project is built from it."""
