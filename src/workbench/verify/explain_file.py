"""Write explain.npz; the service only reads it."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from model_service.explain.explainer import Explainer


def write_explainer(explainer: Explainer) -> bytes:
    """Return the content of explain.npz, the same bytes for the same arrays."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in sorted(explainer.arrays().items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            # The text is small, and most arrays are looked up rather than read in full.
            archive.writestr(entry, member.getvalue())
    return content.getvalue()
