"""The steps that the fast path compiles, by kind. Importing this package fills the registry."""

from model_service.fast_path.steps import booster_classes, linear, preprocessing, text, trees

__all__ = ["booster_classes", "linear", "preprocessing", "text", "trees"]
