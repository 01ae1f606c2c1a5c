"""models/, encoders/ and scalers/ side by side; the model knows its columns by name."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

random = np.random.RandomState(9)
frame = pd.DataFrame(
    {
        "brand": random.choice(["Audi", "BMW", "Fiat"], 150),
        "fuel": random.choice(["Diesel", "Petrol"], 150),
        "km": random.uniform(1e3, 2e5, 150).round(),
        "year": random.randint(2000, 2021, 150),
    }
)
price = 20_000 - frame["km"] / 20 + (frame["brand"] == "BMW") * 9000
encoder = OrdinalEncoder().fit(frame[["brand", "fuel"]])
scaler = StandardScaler().fit(frame[["km", "year"]])
prepared = frame.assign(brand=0.0, fuel=0.0, km=0.0, year=0.0)
prepared[["brand", "fuel"]] = encoder.transform(frame[["brand", "fuel"]])
prepared[["km", "year"]] = scaler.transform(frame[["km", "year"]])
model = KNeighborsRegressor(3).fit(prepared, price)
files = {"encoders/words.pkl": encoder, "models/knn.pkl": model, "scalers/numbers.pkl": scaler}
for name, value in files.items():
    Path(name).parent.mkdir(exist_ok=True)
    joblib.dump(value, name)
frame.to_csv("cars.csv", index=False)
native = {
    "rows": frame.head(24).to_dict("records"),
    "predictions": model.predict(prepared.head(24)).tolist(),
}
Path("native.json").write_text(json.dumps(native))
