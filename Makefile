# Everything here needs no more than Python 3.11 or later, git and make; the SAM tests also need Docker, and whatever
# builds the functions needs the Python that they run on.
PYTHON ?= python3
LAMBDA_PYTHON := $(firstword $(foreach python,python3.13 /usr/local/bin/python3.13,\
	$(shell $(python) -c 'print("$(python)")' 2>/dev/null)))
SOURCES := functions layers cli local tests bench tools
RUN := PYTHONPATH=.:layers/execution_plane:functions/poller:functions/worker .venv/bin/python -m
UV := 0.13.9
LOCKS = $(wildcard requirements/*.txt) layers/execution_plane/requirements.txt functions/worker/requirements.txt

export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help demo stand-ins test test-all test-sam test-deploy check bench reference docs build lint typecheck validate audit lock update clean

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/ready  ## Run two planes beside a local Keptn; DEMO=--stay keeps them up
	$(RUN) local.demo $(DEMO)

stand-ins: .venv/ready  ## Serve a local Keptn and AWS for `sam local`
	$(RUN) local.stand_ins

PYTEST_ALL = .venv/bin/pytest -n auto --dist worksteal --ignore=tests/sam --ignore=tests/deploy

test: .venv/ready  ## Run the tests, with a sample of the fault matrix; PYTEST=tests/unit runs those
	$(PYTEST_ALL) --sample $(PYTEST)

test-all: .venv/ready  ## Run all tests but those with the SAM CLI
	$(PYTEST_ALL) $(PYTEST)

test-sam: .venv/ready .venv-sam/ready  ## Run the functions in containers, by the SAM CLI
	.venv/bin/pytest tests/sam $(PYTEST)

ifneq ($(LAMBDA_PYTHON),)
test-deploy: .venv/ready .venv-sam/ready .venv-ministack/ready  ## Deploy to an AWS on this machine
	.venv/bin/pytest tests/deploy -n 3 --dist loadfile $(PYTEST)
else ifeq ($(WITHOUT),python3.13)
test-deploy:
	@echo "No deployment is tested: there is no Python 3.13, and WITHOUT=python3.13 says that there need be none."
else
test-deploy:
	@echo "There is no Python 3.13, on which the functions run, so that no deployment can be tested: install it," >&2
	@echo "or say so by make test-deploy WITHOUT=python3.13" >&2
	@exit 1
endif

bench: .venv/ready  ## Measure what it costs
	$(RUN) bench

reference: .venv/ready  ## Write the pages of docs that are made from the code
	$(RUN) tools.reference

docs: .venv-docs/ready  ## Build the site into build/site
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet

build: .venv-sam/ready  ## Build the functions and the layer, as a release has them
	.venv-sam/bin/sam build

lint: .venv/ready  ## Check style and form
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)

typecheck: .venv/ready  ## Check types
	.venv/bin/mypy --strict $(SOURCES)

validate: .venv-sam/ready .venv-checkov/ready  ## Check the template
	.venv-sam/bin/sam validate --lint
	.venv-checkov/bin/checkov --config-file .checkov.yaml

check:  ## Run all that CI runs
	.ci/run

audit: .venv-audit/ready  ## Look all locks up in the security advisories (needs the network)
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes $(addprefix --requirement ,$(LOCKS))

.venv/ready: requirements/dev.txt
.venv-sam/ready: requirements/sam.txt
.venv-checkov/ready: requirements/checkov.txt
.venv-docs/ready: requirements/docs.txt
.venv-audit/ready: requirements/audit.txt
.venv-ministack/ready: requirements/ministack.txt
.venv-ministack/ready: PYTHON := $(LAMBDA_PYTHON)
.venv/ready .venv-sam/ready .venv-checkov/ready .venv-docs/ready .venv-audit/ready .venv-ministack/ready:
	@$(PYTHON) cli/environments.py $(@D) $<

.venv-lock/ready:
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check uv==$(UV)
	touch $@

LOCK = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --strip-extras $(LOCK_FLAGS)

lock: .venv-lock/ready  ## Lock what is installed; LOCK_FLAGS=--upgrade takes newer versions
	$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	$(LOCK) requirements/plane.in --constraint requirements/dev.txt --output-file requirements/plane.txt
	$(LOCK) requirements/sam.in --output-file requirements/sam.txt
	$(LOCK) requirements/checkov.in --output-file requirements/checkov.txt
	$(LOCK) requirements/docs.in --output-file requirements/docs.txt
	$(LOCK) requirements/ministack.in --output-file requirements/ministack.txt
	$(LOCK) requirements/audit.in --output-file requirements/audit.txt
	$(LOCK) layers/execution_plane/requirements.in --constraint requirements/dev.txt \
		--output-file layers/execution_plane/requirements.txt
	$(LOCK) functions/worker/requirements.in --constraint requirements/dev.txt \
		--output-file functions/worker/requirements.txt

update:  ## Lock the newest versions, and open a pull request with them where there are some (needs gh)
	$(MAKE) lock LOCK_FLAGS=--upgrade
	git diff --quiet || { \
	  git switch --create "dependencies-$$(date +%F)" && \
	  git -c user.name="make update" -c user.email="noreply@github.com" commit --all --message "Newer versions are locked" && \
	  git push --set-upstream origin HEAD && gh pr create --fill; }

clean:  ## Remove everything that was made
	rm -rf build .venv .venv-sam .venv-checkov .venv-docs .venv-audit .venv-ministack .venv-lock .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
