"""The limit: a Flask application that sends back what it was sent."""

from flask import Flask, Response, request

app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    return Response(request.get_data(cache=False), mimetype="application/json")
