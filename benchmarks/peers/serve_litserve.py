"""LitServe: https://lightning.ai/docs/litserve/features/batching."""

import os
from typing import Any

import joblib
import litserve
import pandas as pd


class Served(litserve.LitAPI):
    """The model, with dynamic batching."""

    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def batch(self, inputs: list[dict[str, Any]]) -> Any:
        has_text = "text" in inputs[0]
        return [row["text"] for row in inputs] if has_text else pd.DataFrame(inputs)

    def predict(self, x: Any) -> Any:
        return self.model.predict_proba(x)

    def unbatch(self, output: Any) -> list[list[float]]:
        rows: list[list[float]] = output.tolist()
        return rows

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        return {"probabilities": output}


if __name__ == "__main__":
    api = Served(max_batch_size=64, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False)
