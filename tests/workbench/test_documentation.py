"""make docs: the pages in the wheel, and the section that fits an error's text."""

from __future__ import annotations

import pytest
from markdown_pages import read_page

from workbench.documentation import Index, Section, show
from workbench.errors import UserError

TROUBLESHOOTING = "how-to/troubleshooting"


def test_the_pages_are_listed() -> None:
    assert "make docs TOPIC=" in show()


def test_a_page_is_shown_by_its_name() -> None:
    assert show("operate").startswith("# Operate\n")
    assert show("how-to/operate") == show("operate")


def test_nothing_is_found_for_nonsense() -> None:
    with pytest.raises(UserError, match="says nothing on 'qwxz vbnm'"):
        show("qwxz vbnm")


SECTIONS = [
    Section(
        "how-to/a", "Can't get attribute 'X' on <module '__main__'>", "# Can't get attribute\nx"
    ),
    Section("how-to/a", "Other", "# Other\nSomething about an attribute that is missing."),
    Section("reference/b", "Keys", "# Keys\nAPI_KEYS holds hashes."),
]


@pytest.mark.parametrize(
    ("topic", "best"),
    [
        ("AttributeError: Can't get attribute 'MyScaler' on <module '__main__' (built-in)>", 0),
        ("API_KEYS", 2),
        ("keys", 2),
    ],
)
def test_the_best_section_is_the_one_a_reader_means(topic: str, best: int) -> None:
    assert Index(SECTIONS).search(topic)[0] is SECTIONS[best]


# Lines as people paste them, and how the heading of the section begins that must come first.
PASTED = [
    (
        "AttributeError: Can't get attribute 'RatioAdder' on <module '__main__' (built-in)>",
        "Can't get attribute",
    ),
    (
        "AttributeError: Can't get attribute 'clean' on <module 'prep' from '/app/prep.py'>",
        "Can't get attribute",
    ),
    (
        "/app/.venv/lib/python3.12/site-packages/sklearn/base.py:442: "
        "InconsistentVersionWarning: Trying to unpickle estimator DecisionTreeClassifier from "
        "version 1.2.2 when using version 1.5.1. This might lead to breaking code or invalid "
        "results. Use at your own risk. For more info please refer to:\nhttps://scikit-learn.org/"
        "stable/model_persistence.html#security-maintainability-limitations",
        "InconsistentVersionWarning",
    ),
    (
        "ValueError: node array from the pickle has an incompatible dtype:\n- expected: {'names': "
        "['left_child', 'right_child', 'missing_go_to_left'], 'formats': ['<i8', '<i8', 'u1']}",
        "node array from the pickle",
    ),
    ("ModuleNotFoundError: No module named 'sklearn.externals'", "No module named 'sklearn"),
    ("ModuleNotFoundError: No module named 'sklearn.ensemble.forest'", "No module named 'sklearn"),
    ("ModuleNotFoundError: No module named 'numpy._core'", "No module named 'numpy._core'"),
    (
        "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 "
        "from C header, got 88 from PyObject",
        "numpy.dtype size changed",
    ),
    ("_pickle.UnpicklingError: invalid load key, 'v'.", "invalid load key, 'v'"),
    ("_pickle.UnpicklingError: invalid load key, '<'.", "invalid load key, 'v'"),
    ("_pickle.UnpicklingError: pickle data was truncated", "pickle data was truncated"),
    ("EOFError: Ran out of input", "pickle data was truncated"),
    (
        "ValueError: X has 4 features, but LogisticRegression is expecting 7 features as input.",
        "X has 10 features, but",
    ),
    (
        "ValueError: The feature names should match those that were passed during fit.\n"
        "Feature names unseen at fit time:\n- Gender\n",
        "The feature names should match",
    ),
    (
        "/srv/site-packages/sklearn/base.py:493: UserWarning: X does not have valid feature names, "
        "but RandomForestClassifier was fitted with feature names\n  warnings.warn(",
        "X does not have valid feature names",
    ),
    ("ValueError: could not convert string to float: 'Urban'", "could not convert string"),
    (
        "ValueError: Found unknown categories ['Suburb'] in column 2 during transform",
        "Found unknown categories",
    ),
    ("ValueError: y contains previously unseen labels: 'Semiurban'", "y contains previously"),
    (
        "ValueError: Input X contains NaN.\nLogisticRegression does not accept missing values "
        "encoded as NaN natively. For supervised learning, you might want to consider "
        "sklearn.ensemble.HistGradientBoostingClassifier and Regressor",
        "Input X contains NaN",
    ),
    ("ModuleNotFoundError: No module named 'xgboost'", "No module named 'xgboost'"),
    (
        "OSError: libgomp.so.1: cannot open shared object file: No such file or directory",
        "No module named 'xgboost', libgomp",
    ),
    (
        "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated "
        "the package versions, please update the hashes.",
        "make setup and make lock",
    ),
    ("ERROR: No matching distribution found for scikit-learn==1.9.1", "make setup and make lock"),
    ("ModuleNotFoundError: No module named 'model_service'", "The service does not start"),
    ("bash: heroku: command not found", "heroku: command not found"),
    ("zsh: command not found: heroku", "heroku: command not found"),
    ("Creating ⬢ loan-approval... ! Name loan-approval is already taken", "Name … is already"),
    ("error: failed to push some refs to 'https://git.heroku.com/loan.git'", "error: failed to"),
    (" ! [rejected]        main -> main (non-fast-forward)", "error: failed to push"),
    ("remote:  !     Compiled slug size: 612.4M is too large (max is 500M).", "Compiled slug size"),
    (
        "remote:  !     Push failed: App not compatible with buildpack: heroku/python.tgz",
        "App not compatible with buildpack",
    ),
    (
        "ERROR: Could not find a version that satisfies the requirement scikit-learn==1.9.1 "
        "(from versions: 1.0.2, 1.1.3)",
        "ERROR: Could not find a version",
    ),
    (
        "ERROR: cookiecutter_model_service_engine-1.0.0+3f2a91c0-py3-none-any.whl is not a "
        "supported wheel on this platform.",
        "ERROR: … is not a supported wheel",
    ),
    (
        'heroku[router]: at=error code=H10 desc="App crashed" method=GET path="/" host=loan.'
        'herokuapp.com request_id=58a3 fwd="1.2.3.4" dyno= connect= service= status=503 bytes=',
        "H10",
    ),
    (
        'heroku[router]: at=error code=H12 desc="Request timeout" method=POST path="/predict" '
        "host=loan.herokuapp.com dyno=web.1 connect=0ms service=30000ms status=503 bytes=0",
        "H12",
    ),
    ('at=error code=H13 desc="Connection closed without response" method=POST', "H13"),
    ('at=error code=H14 desc="No web processes running" method=GET path="/"', "H14"),
    ('sock=client at=warning code=H27 desc="Client Request Interrupted" method=POST', "H18"),
    (
        "heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within "
        "60 seconds of launch",
        "R10",
    ),
    (
        "heroku[web.1]: Error R12 (Exit timeout) -> At least one process failed to exit within "
        "30 seconds of SIGTERM",
        "R12",
    ),
    ("heroku[web.1]: Error R14 (Memory quota exceeded)", "R14"),
    ("heroku[web.1]: Error R15 (Memory quota vastly exceeded)", "R15"),
    ("R14", "R14"),
    (
        "[2026-11-26 19:52:01 +0000] [7] [ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out of "
        "memory?",
        "Lines in the log",
    ),
    # Ours.
    (
        "model/model.joblib is not the file that was adopted (its SHA-256 differs); restore it "
        "from git, or run make adopt with the new file.",
        "The service does not start",
    ),
    (
        "make verify:\n  - The model does not reproduce its recorded predictions (3 values "
        "differ): row 1: prediction is N and was Y.",
        "make verify",
    ),
    (
        "model_path: there is no file /home/ada/churn.pkl; give the path of the model file.",
        "Rendering a project",
    ),
    ("The file is a Git LFS pointer, not the model itself.", "Refusals of a model file"),
]


@pytest.mark.parametrize(("line", "heading"), PASTED)
def test_a_pasted_error_finds_the_section_that_explains_it(line: str, heading: str) -> None:
    first = show(line).splitlines()
    assert first[0] == f"[{TROUBLESHOOTING}]"
    assert first[2].lstrip("# ").startswith(heading)


def test_each_heading_that_quotes_an_error_has_such_a_line() -> None:
    chapter, quoting = "", []
    for section in read_page(f"docs/{TROUBLESHOOTING}.md").sections:
        chapter = section.title if section.level == 2 else chapter
        if section.level == 3 and chapter in ("Errors of libraries", "git push", "Heroku codes"):
            quoting.append(section.title)
    assert len(quoting) > 15
    headings = tuple({heading for _, heading in PASTED})
    assert [title for title in quoting if not title.startswith(headings)] == []


@pytest.mark.parametrize(
    ("topic", "page"),
    [
        ("API_KEYS", "how-to/operate"),
        ("rate limit", "how-to/operate"),
        ("gunicorn", "reference/config-vars"),  # gunicorn.conf.py names it
        ("make eject", "reference/commands"),
        ("threshold", "reference/features-json"),
        ("stylesheet", "how-to/make-it-yours"),
        ("upgrade", "how-to/upgrade-and-eject"),  # workbench.upgrade names it
        ("docker", "how-to/deploy-to-heroku"),
        ("deploying", "how-to/deploy-to-heroku"),
        ("monitoring", "how-to/operate"),
        ("scoring", "reference/commands"),
    ],
)
def test_a_word_finds_the_page_on_it(topic: str, page: str) -> None:
    assert show(topic).splitlines()[0] == f"[{page}]"
