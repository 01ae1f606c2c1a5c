"""Explanations: exact Shapley values over the features that people type.

The players of the game are the contract's features. The value of a coalition S is the mean of the
model over background rows that have the explained row's values in S. Linear models and sums of
trees are solved in closed form; any other model is evaluated on mixed rows.
"""
