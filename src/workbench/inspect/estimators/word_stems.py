"""Recognise a vectorizer that was fitted on word stems: "pleas" and "realli", and no "please".

The author's app stems each text before it, with nltk's PorterStemmer or SnowballStemmer. A
vectorizer with a tokenizer, analyzer or preprocessor of its own can do that itself.
"""

from __future__ import annotations

from workbench.inspect.estimators.composite import first_estimator
from workbench.inspect.pickle.values import Dict, Instance

MIN_STEMS, MAX_WORDS = 5, 1
# Frequent English words and their stems, which are no words.
_STEMS = {
    "alreadi": "already",
    "anyth": "anything",
    "becaus": "because",
    "befor": "before",
    "believ": "believe",
    "charg": "charge",
    "compani": "company",
    "complet": "complete",
    "countri": "country",
    "everi": "every",
    "everyth": "everything",
    "famili": "family",
    "happi": "happy",
    "includ": "include",
    "littl": "little",
    "messag": "message",
    "minut": "minute",
    "movi": "movie",
    "peopl": "people",
    "pictur": "picture",
    "pleas": "please",
    "provid": "provide",
    "realli": "really",
    "receiv": "receive",
    "servic": "service",
    "someth": "something",
    "stori": "story",
}


def word_stems(root: object) -> tuple[str, ...]:
    """Return the stems in a vectorizer's vocabulary, if it has them instead of the words."""
    if not isinstance(root, Instance):
        return ()
    vectorizer = first_estimator(root)
    vocabulary = vectorizer.attribute("vocabulary_")
    own = [vectorizer.attribute(name) for name in ("tokenizer", "preprocessor")]
    if not isinstance(vocabulary, Dict) or vectorizer.attribute("analyzer") != "word" or any(own):
        return ()
    known = {word for word, _ in vocabulary.pairs() if isinstance(word, str)}
    found = tuple(stem for stem in _STEMS if stem in known)
    words = known & {*_STEMS.values()}
    return found if len(found) >= MIN_STEMS and len(words) <= MAX_WORDS else ()
