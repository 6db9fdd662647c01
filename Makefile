# Every command here does the same when it is run again. Variables: STACK, KUBE_CONTEXT, CONFIG (key.path=value …);
# those of one command are in its line of `make help`.

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.requirements-installed
ARGUMENTS = $(if $(STACK),--stack $(STACK)) $(foreach setting,$(CONFIG),--config $(setting))
STACKS = PYTHONPATH= $(PYTHON) -m stacks

.DEFAULT_GOAL := help
.PHONY: help up preview down resume refresh forget outputs env venv secret backup-key demo test check format vendor lock \
	footprint bench golden docs constraints clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(READY) ## Tools, cluster, platform, then a table of what runs where; after a kill it resumes
	@$(STACKS) up $(ARGUMENTS)

preview: $(READY) ## What `make up` would change, field by field (MARKDOWN=file writes it there too)
	@$(STACKS) preview $(ARGUMENTS) $(if $(MARKDOWN),--markdown $(MARKDOWN))

down: $(READY) ## Take everything away, then sweep; the simulator goes too (YES=1 asks nothing)
	@$(STACKS) down $(ARGUMENTS) $(if $(YES),--yes)

resume: $(READY) ## Take up a killed command by hand, when its lock is on another machine
	@$(STACKS) resume $(ARGUMENTS)

refresh: $(READY) ## List what was edited behind the platform's back; `make up` repairs it
	@$(STACKS) refresh $(ARGUMENTS)

outputs: $(READY) ## The table of the last `make up` again
	@$(STACKS) outputs $(if $(STACK),--stack $(STACK))

forget: $(READY) ## Drop the state of a stack whose cluster is gone for good
	@$(STACKS) forget $(if $(STACK),--stack $(STACK))

secret: $(READY) ## Encrypt a value of the configuration, typed or piped in: KEY=monitoring.alertWebhook
	@$(STACKS) secret $(KEY) $(if $(STACK),--stack $(STACK))

backup-key: $(READY) ## Copy the sealing keys into a new file: FILE=sealing-keys.yaml
	@$(STACKS) backup-key $(if $(FILE),"$(FILE)") $(if $(STACK),--stack $(STACK))

env: $(READY) ## What pulumi and kubectl typed by hand need: eval "$(make env)"
	@$(STACKS) env $(if $(STACK),--stack $(STACK))

venv: $(READY) ## Only the virtual environment, with the `aiga` command: then `. .venv/bin/activate`

demo: $(READY) ## Run projects/digits on this machine from nothing, and write a page about it
	@PYTHONPATH= $(PYTHON) -m aiga demo projects/digits

test: $(READY) ## All tests that one machine can run: quick ones side by side, then those of the engine
	$(PYTHON) -m pytest -n 2 --dist loadfile -m "not engine"
	$(PYTHON) -m pytest -n 2 --dist loadfile -m engine

check: $(READY) ## Format, lint, types, direction of imports, generated files
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(STACKS) docs --check

format: $(READY) ## Rewrite the code as `make check` wants it
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

docs: $(READY) ## Write what is generated from the settings: Pulumi.yaml's config, docs/configuration.md
	@$(STACKS) docs

vendor: $(READY) ## Fetch every chart and manifest into vendor/, and their CRDs into vendor/crds (network)
	@status=0; $(PYTHON) -m components.fetch vendor || status=1; \
	$(PYTHON) -m simulator.standins definitions || status=1; exit $$status

lock: $(READY) ## Fill the digests of charts, images and tools (network)
	@status=0; $(PYTHON) -m components.fetch lock || status=1; $(PYTHON) -m tools lock || status=1; exit $$status

footprint: $(READY) ## What each profile asks of a cluster
	@$(STACKS) footprint

bench: $(READY) ## Measure platform, projects and serving beside what one would use instead
	@$(PYTHON) -m benchmarks

golden: $(READY) ## Rewrite the golden files; read the difference before committing it
	AIGA_GOLDEN=write $(PYTHON) -m pytest tests/program

constraints: $(READY) ## Resolve requirements-dev.txt anew into constraints.txt (network)
	rm -rf .aiga/constraints
	$(PYTHON) -m venv .aiga/constraints
	.aiga/constraints/bin/python -m pip install --quiet --upgrade -r requirements-dev.txt
	.aiga/constraints/bin/python -m pip freeze --exclude pip --exclude setuptools > constraints.txt
	rm -rf .aiga/constraints

clean: ## Remove the virtualenv and caches; state and clusters stay (`make down` takes those)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .aiga/cache .aiga/objects .aiga/standins

$(READY): requirements.txt requirements-dev.txt constraints.txt
	@echo "virtualenv: $(VENV), from requirements-dev.txt and constraints.txt" >&2
	@if uv --version >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python '>=3.11' $(VENV) && \
		uv pip install --quiet --compile-bytecode --python $(PYTHON) -r requirements-dev.txt -c constraints.txt && \
		uv pip install --quiet --python $(PYTHON) --no-deps --editable .; \
	else \
		found=; \
		for python in python3 python3.13 python3.12 python3.11; do \
			if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
				found=$$python; break; \
			fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "no Python 3.11 or newer on PATH: install one, or uv, which brings its own" >&2; exit 1; \
		fi; \
		"$$found" -m venv $(VENV) && \
		$(PYTHON) -m pip install --quiet -r requirements-dev.txt -c constraints.txt && \
		$(PYTHON) -m pip install --quiet --no-deps --editable .; \
	fi
	@touch $(READY)
