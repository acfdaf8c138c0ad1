# Short names for what the scripts do; nothing is only here.
.PHONY: dev test lint bench fuzz golden clean

dev:    ## editable install with what tests and lint need
	[ -x .venv/bin/pip ] || python3 -m venv .venv
	.venv/bin/pip install -q -e '.[test,lint]'

test:   ## all tests
	sh tests/run

lint: dev
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench:  ## FOLDER=… [REPEATS=5]
	.venv/bin/python bench/peers.py "$(FOLDER)" --repeats "$(or $(REPEATS),1)"

fuzz:   ## TARGET=… [SECONDS=60]
	sh tests/fuzz/run "$(TARGET)" "$(or $(SECONDS),60)"

golden: ## only after a change of the format, see CONTRIBUTING.md
	.venv/bin/python tests/golden/make.py

clean:
	rm -rf target tests/fuzz/target dist .venv llmzip/*.so
