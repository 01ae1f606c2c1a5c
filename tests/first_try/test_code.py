"""First tries of models that need code of the author's: modules, notebooks, prepare()."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_try.runner import again, assert_native, first_try, trained

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
PINS = ("scikit-learn==1.6.1", "pandas==2.2.3")


@pytest.mark.parametrize("code", ["src/features/ratios.py", "src", ""])
def test_a_package_of_two_modules(code: str, tmp_path: Path) -> None:
    folder = trained(tmp_path, "package_of_two_modules.py", PINS)
    tried = first_try(folder, model_path="model.pkl", sample_data="train.csv", model_code=code)
    if not code:
        assert "src.utils.text.Lower" in tried.message
        tried = again(tried)
    kept = tried.project / "model" / "custom_code" / "src"
    assert (kept / "utils" / "text.py").exists()
    assert_native(tried.project, folder)


@pytest.mark.parametrize(
    ("script", "sample", "word"),
    [
        ("tokenizer_of_a_notebook.py", "", "__main__.text_process"),
        ("notebook_class.py", "train.csv", "__main__.Ratio"),
    ],
)
def test_definitions_are_taken_from_the_notebook(
    script: str, sample: str, word: str, tmp_path: Path
) -> None:
    folder = trained(tmp_path, script, PINS)
    tried = first_try(folder, model_path="model.pkl", sample_data=sample)
    assert word in tried.message
    assert "model_code=model_code.py" in tried.last_line
    assert_native(again(tried).project, folder)


@pytest.mark.parametrize("returned", ["frame", "series", "array"])
def test_prepare_before_a_vectorizer(returned: str, tmp_path: Path) -> None:
    folder = trained(tmp_path, "cleaned_texts.py", PINS)
    answers = {"transformers": "vectorizer.pkl", "model_code": f"clean_{returned}.py"}
    tried = first_try(folder, model_path="model.pkl", features="text", **answers)
    assert_native(tried.project, folder)


def test_prepare_that_imports_a_library_and_its_data(tmp_path: Path) -> None:
    folder = trained(tmp_path, "stemmed_texts.py", (*PINS, "nltk==3.9.1"))
    answers = {"transformers": "vectorizer.pkl", "features": "text"}
    stopped = first_try(folder, model_path="model.pkl", model_code="stopped.py", **answers)
    assert "python -m nltk.downloader -d nltk_data stopwords && cooki" in stopped.last_line
    assert "model_code=stopped.py,nltk_data" in stopped.last_line
    tried = first_try(folder, model_path="model.pkl", model_code="clean.py", **answers)
    assert "clean.py imports nltk (line 1): nltk is added to requirements.in." in tried.output
    assert_native(tried.project, folder)


def test_prepare_that_imports_a_module_of_the_authors(tmp_path: Path) -> None:
    folder = trained(tmp_path, "body_mass.py", PINS)
    answers = {"model_path": "model.pkl", "sample_data": "patients.csv"}
    assert "If your code makes bmi, band of other columns" in first_try(folder, **answers).message
    tried = first_try(folder, model_code="features.py", **answers)
    assert_native(tried.project, folder)


def test_a_lambda_that_was_pickled(tmp_path: Path) -> None:
    folder = trained(tmp_path, "lambdas.py", ("scikit-learn==1.6.1", "pandas==2.2.3", "dill"))
    assert (
        "Put its functions and classes into a .py file"
        in first_try(folder, model_path="dill.pkl").message
    )
    answers = {"model_path": "cloud.pkl", "features": "length,width"}
    tried = first_try(folder, **answers)
    assert "(__main__.<lambda>), pickled by cloudpickle. It uses assign. " in tried.message
    assert "paste it only if you know who wrote the file." in tried.message
    assert tried.last_line.endswith("features=length,width trust='__main__.<lambda>'")
    assert_native(again(tried).project, folder)
