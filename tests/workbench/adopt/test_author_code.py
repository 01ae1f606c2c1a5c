"""The author's code: several modules, their imports, the definitions in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from conftest import PYTHON, SRC, adopted, environment
from sklearn.linear_model import LinearRegression

from model_service.errors import ModelError
from model_service.model.loading import load_model
from workbench.adopt.answers import Answers
from workbench.adopt.code.author_code import AuthorCode, read_code
from workbench.adopt.code.definitions import definitions_only
from workbench.adopt.code.source_files import SourceFile
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError, Problem

PREPARE = "def prepare(frame):\n    return frame\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = LinearRegression().fit(np.eye(3, 2), [1, 2, 3])
    joblib.dump(model, tmp_path / "model.joblib")
    return tmp_path


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def code_of(folder: Path, *names: str) -> AuthorCode:
    return read_code([folder / name for name in names], folder)


def decided(folder: Path, code: str, **answers: str) -> Adoption:
    options = {"features": "a,b", "python_version": PYTHON, "model_code": code, **answers}
    return decide(Answers("Name", "name", "About.", "model.joblib", folder, **options))


def refused(folder: Path, code: str, **answers: str) -> list[Problem]:
    with pytest.raises(AnswerError) as caught:
        decided(folder, code, **answers)
    return list(caught.value.found)


PACKAGE = {
    "src/__init__.py": "",
    "src/make.py": f"from src.parts import words\nfrom .parts.more import more\n{PREPARE}",
    "src/parts/__init__.py": "",
    "src/parts/words.py": "WORDS = 1\n",
    "src/parts/more.py": "def more():\n    from . import words\n",
    "src/unused.py": "x = 1\n",
}
SCRIPTS = {"make.py": f"import helpers\n{PREPARE}", "helpers.py": "import numpy as np\n"}
NO_INIT = {"lib/make.py": f"from lib.more import x\n{PREPARE}", "lib/more.py": "x = 1\n"}
# (the files that there are, the answer, those that are kept, the module of prepare)
FOLLOWED = [
    (PACKAGE, ["src"], list(PACKAGE), "src.make"),
    (PACKAGE, ["src/make.py"], [name for name in PACKAGE if "unused" not in name], "src.make"),
    (SCRIPTS, ["make.py"], list(SCRIPTS), "make"),
    (NO_INIT, ["lib/make.py"], list(NO_INIT), "lib.make"),
    (NO_INIT, ["lib"], list(NO_INIT), "lib.make"),
    ({**SCRIPTS, "words.txt": "a"}, ["make.py", "words.txt"], [*SCRIPTS, "words.txt"], "make"),
]


@pytest.mark.parametrize(("files", "answer", "kept", "module"), FOLLOWED)
def test_local_modules_are_kept_under_their_names(
    files: dict[str, str], answer: list[str], kept: list[str], module: str, tmp_path: Path
) -> None:
    written(tmp_path, files)
    code = code_of(tmp_path, *answer)
    names = [path.as_posix().removeprefix("model/custom_code/") for path in code.files]
    assert sorted(names) == sorted(kept)
    assert code.custom_code(()).defined_in == {"prepare": module}


def test_the_folder_of_the_model_before_is_taken_whole(tmp_path: Path) -> None:
    written(tmp_path, {f"custom_code/{name}": text for name, text in PACKAGE.items()})
    written(tmp_path, {"custom_code/words.txt": "a"})
    names = [path.as_posix() for path in code_of(tmp_path, "custom_code").files]
    assert sorted(names) == sorted(f"model/custom_code/{name}" for name in [*PACKAGE, "words.txt"])


def test_one_file_is_kept_as_one_file(tmp_path: Path) -> None:
    written(tmp_path, {"only.py": PREPARE})
    code = code_of(tmp_path, "only.py")
    assert [path.as_posix() for path in code.files] == ["model/custom_code.py"]
    assert code.custom_code(()).defined_in is None


@pytest.mark.parametrize("name", ["app", "json", "numpy"])
def test_a_module_that_would_hide_another_is_refused(name: str, tmp_path: Path) -> None:
    written(tmp_path, {"make.py": PREPARE, f"{name}.py": "x = 1\n"})
    with pytest.raises(AnswerError, match=f"{name}: a module of this name would hide"):
        code_of(tmp_path, "make.py", f"{name}.py")


# (code, packages to install)
IMPORTS = [
    ("import numpy, re\nfrom sklearn.base import clone\n", ["numpy", "scikit-learn"]),
    ("import cv2, yaml, bs4\nfrom PIL import Image\n", None),
    ("try:\n    import rapid_thing\nexcept ImportError:\n    rapid_thing = None\n", []),
    ("if __name__ == '__main__':\n    import matplotlib\n", []),
    ("def f():\n    import nltk\n", ["nltk"]),
]


@pytest.mark.parametrize(("text", "packages"), IMPORTS)
def test_imports_are_mapped_to_distributions(
    text: str, packages: list[str] | None, tmp_path: Path
) -> None:
    written(tmp_path, {"make.py": text})
    found = list(code_of(tmp_path, "make.py").distributions)
    several = ["beautifulsoup4", "opencv-python-headless", "pillow", "pyyaml"]
    assert found == (several if packages is None else packages)


def test_packages_are_added_with_the_version_near_the_model(folder: Path) -> None:
    written(folder, {"make.py": f"import nltk, regex\n{PREPARE}"})
    written(folder, {"requirements.txt": "nltk==3.8.1\npandas==1.0.0\n"})
    adoption = decided(folder, "make.py")
    assert "regex" in adoption.pins.requirements
    assert "nltk==3.8.1" in adoption.pins.requirements
    assert "make.py imports regex (line 1): regex is added to requirements.in." in adoption.notes


def test_an_unknown_package_is_installed_only_if_it_is_trusted(folder: Path) -> None:
    written(folder, {"make.py": f"import utils\n{PREPARE}"})
    (problem,) = refused(folder, "make.py")
    assert "make.py imports utils (line 1), which is no file beside it" in problem.message
    assert problem.repair is not None
    assert problem.repair.answers == {"trust": "utils.*"}
    assert "utils" in decided(folder, "make.py", trust="utils.*").pins.unpinned


def test_data_of_nltk_and_models_of_spacy_have_to_be_files(folder: Path) -> None:
    text = f"from nltk.corpus import stopwords\nimport spacy\nW = stopwords.words\n{PREPARE}"
    written(folder, {"make.py": text + "def f():\n    spacy.load('en_core_web_sm')\n"})
    data, model = refused(folder, "make.py")
    assert data.repair is not None
    assert data.repair.first.endswith("python -m nltk.downloader -d nltk_data stopwords")
    assert data.repair.answers == {"model_code": "make.py,nltk_data"}
    assert "spacy.load('en_core_web_sm').to_disk" in model.message
    written(folder, {"nltk_data/corpora/stopwords/english": "the\n", "make.py": text})
    files = decided(folder, "make.py,nltk_data").code
    assert files is not None
    assert Path("model/custom_code/nltk_data/corpora/stopwords/english") in files.files


NOTEBOOK = """import random
import pandas as pd
from sklearn.base import BaseEstimator

random.seed(0)
# how small is nothing
EPSILON = 1e-9
UNUSED = pd.DataFrame()


@staticmethod
def helper(x):
    return x + EPSILON


class Ratio(BaseEstimator):
    def transform(self, x):
        return helper(x)


model = Ratio()
model.transform(1)
print(EPSILON)
"""
DEFINITIONS = """from sklearn.base import BaseEstimator

# how small is nothing
EPSILON = 1e-9


@staticmethod
def helper(x):
    return x + EPSILON


class Ratio(BaseEstimator):
    def transform(self, x):
        return helper(x)
"""


def test_the_definitions_are_taken_out_of_a_notebook(tmp_path: Path) -> None:
    written(tmp_path, {"notebook.py": NOTEBOOK})
    (source,) = code_of(tmp_path, "notebook.py").sources
    assert definitions_only(source, ["Ratio"]) == DEFINITIONS


@pytest.mark.parametrize(
    "statement",
    ["WORDS.add('a')", "for w in 'ab':\n    WORDS.add(w)", "print(WORDS.add('a'))", "del WORDS"],
)
def test_definitions_that_other_statements_change_are_not_taken_out(
    statement: str, tmp_path: Path
) -> None:
    text = f"WORDS = set()\n{statement}\ndef f(x):\n    return x in WORDS\n"
    written(tmp_path, {"notebook.py": text})
    (source,) = code_of(tmp_path, "notebook.py").sources
    assert definitions_only(source, ["f"]) is None
    assert definitions_only(source, ["g"]) is None


def test_the_code_of_an_ipynb(tmp_path: Path) -> None:
    sources = ["%matplotlib inline\nimport re\n", "!pip install x", "def f(x):\n    return re.sub"]
    cells = [{"cell_type": "code", "source": source.splitlines(True)} for source in sources]
    cells.append({"cell_type": "markdown", "source": ["# def g"]})
    written(tmp_path, {"a.ipynb": json.dumps({"cells": cells})})
    (source,) = code_of(tmp_path, "a.ipynb").sources
    assert definitions_only(source, ["f"]) == "import re\n\n\ndef f(x):\n    return re.sub\n"


def notebook(folder: Path, *sources: str) -> SourceFile:
    cells = [{"cell_type": "code", "source": source.splitlines(True)} for source in sources]
    written(folder, {"a.ipynb": json.dumps({"cells": cells})})
    (source,) = code_of(folder, "a.ipynb").sources
    return source


# (a cell, what its statements define)
CELLS = {
    "shell": ("%%bash\npip install x\nls *.csv", []),
    "shell below a blank line": ("\n%%sh\npip install x", []),
    "a file": ("%%writefile x.py\ndef g(): pass", []),
    "no name": ("%%", []),
    "time": ("%%time\ny = 1", ["y"]),
    "capture": ("%%capture output\ny = 1", ["y"]),
    "timeit": ("%%timeit -n 5\ny = 1", ["y"]),
    "an install in a try": (
        "try:\n    import xgboost\nexcept ImportError:\n    !pip install xgboost",
        ["xgboost"],
    ),
    "a command of two lines": ("!pip install x \\\n    y\nz = 1", ["z"]),
    "the lines of a command": ("names = !ls\nw = %timeit -o f()", ["names", "w"]),
    "help": ("f?\ny = 1\n?f\nf.__doc__??", ["y"]),
    "of IPython alone": ("%pip install x", []),
    "an operator": ("y = (5\n  % 3)", ["y"]),
    "a text": ('y = """\n%d rows\n"""', ["y"]),
}


@pytest.mark.parametrize("name", CELLS)
def test_commands_of_ipython_are_no_code(name: str, tmp_path: Path) -> None:
    cell, names = CELLS[name]
    source = notebook(tmp_path, "import re\n", cell, "def f(x):\n    return re.sub")
    assert source.names == {"re", "f", *names}
    assert definitions_only(source, ["f"]) == "import re\n\n\ndef f(x):\n    return re.sub\n"


def test_what_is_python_in_a_cell_stays_as_it_is(tmp_path: Path) -> None:
    cells = [CELLS[name][0] for name in ("an operator", "a text")]
    assert notebook(tmp_path, *cells).text == "\n".join(f"{cell}\n" for cell in cells)


def test_python_does_not_warn_of_the_authors_code(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        written(tmp_path, {"make.py": 'import re\nNUMBER = re.compile("\\d")\n'})
        code_of(tmp_path, "make.py")
        notebook(tmp_path, 'text = "\\d"', "!ls")
    assert [str(warning.message) for warning in recwarn] == []


LOAD = """
import sys
from pathlib import Path
from model_service.contract.parsing import parse_rows
from model_service.model.loading import load_model
model = load_model(Path("model").resolve())
batch = parse_rows(model.contract, [{"a": 1, "b": 2}])
print(model.predict(batch)[0]["prediction"])
"""


def test_a_folder_of_modules_prepares_and_must_not_change(folder: Path) -> None:
    prepare = "from lib.more import FACTOR\ndef prepare(frame):\n    return frame * FACTOR\n"
    written(folder, {"lib/__init__.py": "", "lib/make.py": prepare, "lib/more.py": "FACTOR = 0\n"})
    project = adopted(folder, folder / "model.joblib", model_code="lib", features="a,b")
    output = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=project,
        env=environment(PYTHONPATH=str(SRC)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    native = joblib.load(folder / "model.joblib").predict(np.zeros((1, 2)))[0]
    assert float(output) == native
    written(project, {"model/custom_code/lib/extra.py": ""})
    with pytest.raises(ModelError, match="does not hold the files that were adopted"):
        load_model(project / "model")
