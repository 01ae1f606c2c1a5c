"""Save a model file of an old scikit-learn again, as the refusal of such a file says.

uv run --no-project --python 3.11 --with scikit-learn==1.1.3 … python hooks/convert.py OLD NEW
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from workbench.convert import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
