"""The limit: a Flask application that sends back what it was sent."""

from flask import Flask, Response, request

app = Flask(__name__)
# As the service is served: see service/worker.py.
app.predicts_inline = True  # type: ignore[attr-defined]


@app.post("/predict")
def predict() -> Response:
    return Response(request.get_data(cache=False), mimetype="application/json")
