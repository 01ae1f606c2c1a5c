"""Which distributions the author's code needs: a reviewed table from imports to packages."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.adopt.code.source_files import SourceFile
from workbench.inspect.pickle.names import DISTRIBUTIONS

# Import name -> distribution, of packages that notebooks clean and compute features with. Each line
# was compared with the package's own page; an import that is not here is not installed unasked.
PACKAGES: Mapping[str, str] = {
    **{name: package for name, package in DISTRIBUTIONS.items() if not name.startswith("_")},
    **{
        name: name
        for name in """
        arrow autocorrect beautifulsoup4 chardet contractions convertdate emoji fasttext ftfy gensim
        geopy haversine holidays html5lib inflect jellyfish jieba langdetect levenshtein librosa
        lxml matplotlib networkx nltk numba openpyxl patsy pendulum phonenumbers pint polars
        pycountry pymorphy3 pymystem3 pyphen pytz rapidfuzz regex requests seaborn shapely soundfile
        spacy statsmodels symspellpy tabulate textblob textstat thefuzz tldextract tqdm tsfresh
        tzdata ujson unidecode validators vaderSentiment wordcloud xxhash zstandard
        """.split()
    },
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "fuzzywuzzy": "fuzzywuzzy",
    "Levenshtein": "levenshtein",
    "PIL": "pillow",
    "pywt": "pywavelets",
    "skimage": "scikit-image",
    "sklearn_pandas": "sklearn-pandas",
    "slugify": "python-slugify",
    "Stemmer": "pystemmer",
    "snowballstemmer": "snowballstemmer",
    "stop_words": "stop-words",
    "tld": "tld",
    "user_agents": "user-agents",
    "yaml": "pyyaml",
}
# What nltk reads of its data, by the name in the code.
NLTK_DATA: Mapping[str, tuple[str, ...]] = {
    "WordNetLemmatizer": ("wordnet", "omw-1.4"),
    "word_tokenize": ("punkt", "punkt_tab"),
    "sent_tokenize": ("punkt", "punkt_tab"),
    "pos_tag": ("averaged_perceptron_tagger", "averaged_perceptron_tagger_eng"),
    "SentimentIntensityAnalyzer": ("vader_lexicon",),
}
NLTK_CORPORA: Mapping[str, tuple[str, ...]] = {"wordnet": ("wordnet", "omw-1.4")}


@dataclass(frozen=True)
class Needed:
    """An import of the author's code that is neither Python's own nor the author's."""

    root: str
    distribution: str | None  # None: not in the table
    source: SourceFile
    line: int


def needed_packages(sources: Sequence[SourceFile]) -> list[Needed]:
    """Return the packages that the author's code imports, each once."""
    local = {source.target.parts[0].removesuffix(".py") for source in sources}
    found: dict[str, Needed] = {}
    for source in sources:
        for one in source.imports:
            root = one.module.split(".")[0]
            if one.level or not root or root in local or root in sys.stdlib_module_names:
                continue
            distribution = PACKAGES.get(root)
            if distribution is None and one.optional:
                continue  # the code can do without it
            found.setdefault(root, Needed(root, distribution, source, one.line))
    return list(found.values())


def nltk_data(sources: Sequence[SourceFile]) -> tuple[str, ...]:
    """Return the data of nltk that the code uses, as nltk's downloader calls them."""
    found: dict[str, None] = {}
    for source in sources:
        if any(one.module.split(".")[0] == "nltk" for one in source.imports):
            for name in _used_names(source.tree):
                found.update(dict.fromkeys(NLTK_DATA.get(name, ())))
            for name in _corpora(source):
                found.update(dict.fromkeys(NLTK_CORPORA.get(name, (name,))))
    return tuple(found)


def _corpora(source: SourceFile) -> Iterator[str]:
    """Yield the names in `from nltk.corpus import stopwords` and `nltk.corpus.stopwords`."""
    yield from (one.name for one in source.imports if one.module == "nltk.corpus" and one.name)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "nltk.corpus":
            yield node.attr


def spacy_models(sources: Sequence[SourceFile]) -> Iterator[str]:
    """Yield the packages that the code loads by spacy.load("en_core_web_sm")."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "spacy.load":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def _used_names(tree: ast.Module) -> Collection[str]:
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names[node.id] = None
        elif isinstance(node, ast.Attribute):
            names[node.attr] = None
        elif isinstance(node, ast.alias):
            names[node.name.split(".")[-1]] = None
    return names
