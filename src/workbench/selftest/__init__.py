"""Tests that pass for any adopted model.

`model` holds those whose result depends on the model: the first render and `make verify` run them.
`engine` holds those that depend on the engine alone: `make test` runs them too.
"""
