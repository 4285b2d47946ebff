# Run in an active environment with the extra `test`, after `uv sync --all-packages --all-extras`, or as `uv run make …`.
.DEFAULT_GOAL := help
.PHONY: help check types lint check-docs docs site fix test proof npm fuzz bench release changelog constraints new-plugin
ifndef VIRTUAL_ENV
export PATH := $(CURDIR)/.venv/bin:$(PATH)
endif
DIST ?= dist
PAGES = $(shell git ls-files '*.md')

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

check: types check-docs lint ## lint, format, types, generated pages; with -j2 at once

types: ## the types hold
	mypy

lint: ## lint and format
	ruff check && ruff format --check

check-docs: ## the generated parts of the pages are up to date
	cog -I docs --check --verbosity=1 --check-fail-msg 'run `make docs`' -P $(PAGES)

docs: ## write the generated parts of the pages anew
	cog -I docs -r --verbosity=1 -P $(PAGES)

site: ## the documentation as a site in build/site, every link checked
	zensical build --clean --strict

fix: ## what lint and format can mend by themselves
	ruff check --fix && ruff format

test: ## every test, some minutes
	pytest

proof: ## every test with its long counts, an hour or so
	CODETETHER_PROOF=1 pytest --timeout 7200

npm: ## the MCP servers of npm that tests speak with, into build/npm; without them these tests are skipped
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/npm \
	  @modelcontextprotocol/server-everything@2026.8.31 @modelcontextprotocol/server-filesystem@2026.8.31

fuzz: ## look for commands that are misread, for hours
	CODETETHER_PROOF=1 pytest -n 0 --timeout 0 tests/permissions/test_fuzz.py

bench: ## measure against the floors; fails where a bar is missed
	python -m benchmarks

new-plugin: ## a plugin of this workspace from its template: make new-plugin kind=tool name=weather
	python .ci/new_plugin.py "$(kind)" "$(name)"

release: ## the wheels of a release in $(DIST), checked, with pinned names in place of paths; uploads nothing
	CODETETHER_RELEASE="==$$(hatchling version)" uv build -q --all-packages --wheel --out-dir "$(DIST)" --clear
	python .ci/check_release.py "$(DIST)"

changelog: ## gather changes/ into CHANGELOG.md for the present version
	towncrier build --yes --version "$$(hatchling version)"

constraints: ## constraints.txt anew: the newest versions that fit, names and versions only
	uv export -q --upgrade --no-hashes --no-header --no-annotate --no-emit-workspace --all-packages --all-extras -o constraints.txt
