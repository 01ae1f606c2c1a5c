# Each target sets itself up: Python 3.11 or later, git and make are all that is needed.
PYTHON ?= python3
DEV = .venv/.complete
DEMO = .demo
YEARS ?=
SCREENSHOTS ?= .screenshots

.PHONY: help test test-all first-tries fast bench bench-bulk bench-explain bench-plan bench-score bench-guard bench-wsgi soak fuzz zoo screenshots machine browser lint demo \
	stop lock clean

help:
	@grep -E '^# (make|  )' Makefile | cut -c3-

# make demo     render the loan example into .demo/, verify it, serve it and ask it once
demo: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python tools/demo.py $(DEMO)

# make stop     end the service that make demo started
stop:
	$(PYTHON) tools/demo.py $(DEMO) --stop

PYTEST = PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m pytest
SIDE_BY_SIDE = -n $(or $(WORKERS),2) $(if $(ORDER),--random-order --random-order-seed=$(ORDER))

# make test     the tests of the template; renders projects and runs their tests too
#               WORKERS=2 of them side by side, ORDER=7: shuffled, the same way for the same number
test: $(DEV) lint machine browser
	$(PYTEST) $(SIDE_BY_SIDE) -m "not heavy"

# make test-all make test, then the tests with old versions of the libraries
test-all: test
	$(PYTEST) $(SIDE_BY_SIDE) -m heavy

# make first-tries  every case of tests/first_try the whole way; make test-all runs a third of them
first-tries: $(DEV)
	FIRST_TRIES=all $(PYTEST) $(SIDE_BY_SIDE) tests/first_try

# make fast     the tests that install nothing
fast: $(DEV)
	$(PYTEST) -m "not slow"

# make zoo      models of several years, adopted and asked in their own environments, and counted;
#               YEARS='1.0 newest' and MODELS='xgboost forest' choose
zoo: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" PYTHONDONTWRITEBYTECODE=1 \
		PYTHONPATH=src .venv/bin/python tests/zoo/run_zoo.py $(YEARS) --models '$(MODELS)'

# make bench    serve the same models in several ways and measure; benchmarks/README.md has the options
bench: $(DEV) machine
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m benchmarks --folder .bench \
		--models '$(MODELS)' --peers '$(PEERS)' $(if $(ALL),--all) \
		--rounds $(or $(ROUNDS),5) --seconds $(or $(SECONDS),2)

# make bench-bulk  100,000 rows at once beside pandas, into benchmarks/bulk.md
bench-bulk: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m benchmarks.bulk --folder .bench \
		--models '$(MODELS)' --rounds $(or $(ROUNDS),5)

# make bench-explain  what explanations cost, beside shap, into benchmarks/explain.md
bench-explain: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m benchmarks.explain --folder .bench \
		--models '$(MODELS)' --rounds $(or $(ROUNDS),30)

# make bench-score  make score beside pandas and the model itself, into benchmarks/score.md;
#                   ROWS=1000000 ROUNDS=3 COPIES=100 MODELS=logistic,hist,…
bench-score: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" PYTHONPATH="$(CURDIR)/src:$(CURDIR)/examples/loan_model" \
		.venv/bin/python -m benchmarks.score \
		--folder .bench --rows $(or $(ROWS),1000000) --rounds $(or $(ROUNDS),3) \
		--copies $(or $(COPIES),100) --models '$(MODELS)'

# make bench-plan  what make plan predicts beside what happens, into benchmarks/plan.md; as root;
#                  SECONDS=60 for each load, PARTS=sleeping,capacity,dyno
bench-plan: $(DEV) machine
	PATH="$(CURDIR)/.venv/bin:$$PATH" PYTHONPATH="$(CURDIR)/src" .venv/bin/python \
		-m benchmarks.plan --folder .bench --seconds $(or $(SECONDS),60) --parts '$(PARTS)'

# make bench-guard  PROJECT=…, rendered and verified: what the guard around the model costs a request
bench-guard: $(DEV)
	.venv/bin/python -m benchmarks.guard '$(PROJECT)'

# make soak     an hour of load with faults on the way, into benchmarks/soak.md; MINUTES=60 MODEL=loan
soak: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m benchmarks.soak --folder .bench \
		--minutes $(or $(MINUTES),60) --model $(or $(MODEL),loan)

# make fuzz     attack the readers with atheris, SECONDS=60 each; what it finds stays in .fuzz/
fuzz: $(DEV)
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python tests/fuzz/fuzzer.py \
		--folder .fuzz --seconds $(or $(SECONDS),60) $(TARGETS)

# make bench-wsgi  one service under gunicorn and granian, into benchmarks/wsgi.md
bench-wsgi: $(DEV) machine
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m benchmarks.wsgi --folder .bench \
		--rounds $(or $(ROUNDS),3) --seconds $(or $(SECONDS),2)

# make screenshots  every page of every model, into .screenshots/ or SCREENSHOTS=folder, and the
#               pictures of the documentation, into docs/images/
screenshots: $(DEV) browser
	.venv/bin/python -m pytest -n 2 tests/browser/screenshots.py --screenshots '$(SCREENSHOTS)'

# Programs that the tests start, such as a Redis server: installed where they are missing.
machine: $(DEV)
	.venv/bin/python tools/machine.py

# The tests of the pages need Chromium or Chrome: it is installed where there is none.
browser: $(DEV)
	.venv/bin/python tests/browser/chromium.py

# make lint     ruff, mypy and zizmor, on the template folder in place too
lint: $(DEV)
	.venv/bin/ruff format --check --no-cache .
	.venv/bin/ruff check --no-cache .
	.venv/bin/mypy hooks tools benchmarks local_extensions.py
	.venv/bin/mypy --python-version 3.10 src
	.venv/bin/zizmor --offline --quiet . '{{cookiecutter.project_slug}}'

# make lock     lock requirements-dev.txt anew
lock: $(DEV)
	.venv/bin/uv pip compile requirements-dev.in --output-file requirements-dev.txt --upgrade \
		--universal --python-version 3.11 --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make lock"

# make clean    remove what the other targets made
clean: stop
	rm -rf .venv .bench .first_try .fuzz $(DEMO) .screenshots .mypy_cache

# The interpreter behind $(PYTHON): that may be the very .venv which is made anew.
$(DEV): requirements-dev.txt examples/loan_model/requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'make needs Python 3.11 or later: make PYTHON=python3.12 …')"
	base="$$($(PYTHON) -c 'import os, sys; print(os.path.realpath(sys.executable))')"; rm -rf .venv; \
	if command -v uv >/dev/null; then \
		uv venv --quiet --python "$$base" .venv && \
		uv pip install --quiet --python .venv -r requirements-dev.txt; \
	else \
		"$$base" -m venv .venv && .venv/bin/python -m pip install --quiet -r requirements-dev.txt; \
	fi
	touch $(DEV)
