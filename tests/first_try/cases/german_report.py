"""An export from a German spreadsheet: title lines, semicolons, decimal commas, Windows-1252."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

rng = np.random.RandomState(5)
frame = pd.DataFrame(
    {
        "Fläche": rng.uniform(20, 200, 120).round(1),
        "Zimmer": rng.randint(1, 7, 120),
        "Umlage": rng.uniform(1000, 9000, 120).round(2),
    }
)
rent = frame["Fläche"] * 12.5 + frame.Zimmer * 10 + frame.Umlage / 100
model = Ridge().fit(frame, rent)
Path("model.pkl").write_bytes(pickle.dumps(model))


def german(number):
    return f"{number:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


lines = ["Mietspiegel 2020;;;", ";;;", "Fläche;Zimmer;Umlage;Miete"]
for row, amount in zip(frame.itertuples(index=False), rent, strict=True):
    lines.append(f"{german(row[0])};{row[1]};{german(row[2])};{german(amount)} €")
Path("miete.csv").write_text("\n".join(lines) + "\n", encoding="cp1252")
rows = frame.head(24)
native = {"rows": rows.to_dict("records"), "predictions": model.predict(rows).tolist()}
Path("native.json").write_text(json.dumps(native))
