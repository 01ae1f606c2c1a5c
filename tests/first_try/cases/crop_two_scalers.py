"""A crop recommendation: minmaxscaler.pkl is applied first, then standscaler.pkl."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import MinMaxScaler, StandardScaler

random = np.random.RandomState(5)
frame = pd.DataFrame(
    {
        "N": random.randint(0, 141, 300),
        "P": random.randint(5, 146, 300),
        "K": random.randint(5, 206, 300),
        "temperature": random.uniform(8.8, 43.7, 300).round(2),
        "humidity": random.uniform(14, 100, 300).round(2),
        "ph": random.uniform(3.5, 9.9, 300).round(2),
        "rainfall": random.uniform(20, 299, 300).round(2),
    }
)
label = 1 + (frame["rainfall"] > 150) + 2 * (frame["humidity"] > 60)
minmax = MinMaxScaler().fit(frame)
stand = StandardScaler().fit(minmax.transform(frame))
rows = stand.transform(minmax.transform(frame))
model = RandomForestClassifier(20, random_state=0).fit(rows, label)
for name, value in {"minmaxscaler": minmax, "model": model, "standscaler": stand}.items():
    Path(f"{name}.pkl").write_bytes(pickle.dumps(value))
frame.assign(label=label).to_csv("Crop_recommendation.csv", index=False)
native = {
    "rows": frame.head(24).to_dict("records"),
    "predictions": model.predict(rows)[:24].tolist(),
}
Path("native.json").write_text(json.dumps(native))
