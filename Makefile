# make demo and make test do all their set-up; make help lists the rest.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   := runs/demo
READY  := $(VENV)/.ready
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq
PARTS  := neurons train export simulate deploy tasks
PEERS  := benchmarks/peers

.PHONY: help setup demo test test-slow fuzz reliability lint format docs wheel bench peers clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@echo "srnn: adaptive spiking recurrent networks, from PyTorch to chip integers"
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## build .venv with everything (make demo and make test do this by themselves)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else f"srnn needs Python 3.10 to 3.13, $(PYTHON) is {v[0]}.{v[1]}; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@echo "set-up, once, a few minutes: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "  installing torch, numba, h5py, test tools (pins in constraints.txt)"
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 11))'; then \
	  $(PIP) install -c constraints.txt -e '.[train,dev,lava,nir,report]'; \
	else \
	  $(PIP) install -c constraints.txt -e '.[train,dev,nir,report]' networkx asteval && \
	  echo "  installing lava-nc without its pins, which end at Python 3.10" && \
	  $(PIP) install --no-deps --ignore-requires-python lava-nc==0.10.0; \
	fi
	@echo "  installing NeuroBench without what its metrics do not need"
	@$(PIP) install --no-deps -c constraints.txt neurobench tqdm
	@echo "  installing snnTorch, Norse and sinabs, whose networks the tests of NIR read"
	@$(PIP) install --no-deps -c constraints.txt snntorch norse nirtorch sinabs pbr
	@mkdir -p $(VENV)/src/srnn
	@for part in $(PARTS); do ln -sfn "$(CURDIR)/$$part" "$(VENV)/src/srnn/$$part"; done
	@ln -sfn "$(CURDIR)"/package/* "$(VENV)/src/srnn/"
	@# On the path itself: pip's finder comes after a folder srnn in which Python is started.
	@$(BIN)/python -c 'import pathlib, sys, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "srnn_clone.pth").write_text(sys.argv[1] + "\n")' "$(abspath $(VENV))/src"
	@touch $@
	@echo "set-up done"

demo: $(READY)  ## train, export, simulate and run on Lava: the whole chain on handwritten digits
	@echo; echo "1. train: 100 epochs on the digits, under a minute"
	@$(BIN)/srnn-train digits --out $(DEMO) --overwrite
	@echo; echo "2. export: integers, checked against the float model"
	@$(BIN)/srnn-export $(DEMO)/model.pt
	@echo; echo "3. simulate: the whole test set, bit-accurately"
	@$(BIN)/srnn-simulate $(DEMO)/model.net --task digits
	@echo; echo "4. deploy: the same file on Intel's Lava CPU runtime, compared spike for spike"
	@$(BIN)/srnn-deploy $(DEMO)/model.net --samples 8
	@echo; echo "The files are in $(DEMO). Your own data: docs/GUIDE.md."

test: $(READY)  ## run the tests (a few minutes)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not slow"

test-slow: $(READY)  ## run the tests that take minutes each
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

SECONDS ?= 600
fuzz: $(READY)  ## try every reader of files with changed inputs: make fuzz SECONDS=600
	@$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS)

reliability: $(READY)  ## kill, fill the disk, start twice, run at once: make reliability PART=stream
	@$(BIN)/python tests/reliability/reliability.py $(if $(PART),--part "$(PART)")

lint: $(READY)  ## ruff and pyright, as CI runs them
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

format: $(READY)  ## let ruff format the code
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format .

docs: $(READY)  ## build the pages, the Python reference and the executed notebook into site/
	@$(PIP) install -c constraints.txt -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Wrote site/index.html. With a search: $(BIN)/python -m http.server -d site"

wheel: $(READY)  ## build dist/srnn-VERSION-py3-none-any.whl (bash .ci/wheel PYTHON proves it)
	@rm -rf build dist
	@$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	@ls dist/*.whl

bench: $(READY)  ## time training and simulation (beside other frameworks after make peers)
	@$(BIN)/python benchmarks/train_step.py
	@$(BIN)/python benchmarks/peak.py
	@$(BIN)/python benchmarks/memory.py
	@$(PIP) install -c constraints.txt -e '.[bench]'
	@$(BIN)/python benchmarks/growth.py --plot docs/figures/growth.svg
	@$(BIN)/python benchmarks/simulate.py

peers: .venv-peers-torch/.ready .venv-peers-jax/.ready  ## environments of the frameworks that training is timed against (some 2.2 GB)

.venv-peers-torch/.ready: $(PEERS)/requirements-torch.txt $(PEERS)/requirements-torch-no-deps.txt
	@echo "snnTorch, Norse, SpikingJelly and lava-dl in $(@D), a few minutes"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check -qq install -r $(PEERS)/requirements-torch.txt
	@$(@D)/bin/python -m pip --disable-pip-version-check -qq install --no-deps --ignore-requires-python \
	  -r $(PEERS)/requirements-torch-no-deps.txt
	@touch $@

.venv-peers-jax/.ready: $(PEERS)/requirements-jax.txt
	@echo "Spyx in $(@D), a few minutes"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check -qq install -r $(PEERS)/requirements-jax.txt
	@touch $@

clean:  ## remove the environments, runs and caches
	rm -rf .venv .venv310 .venv-lava-dl .venv-peers-* runs build dist site *.egg-info .pytest_cache .hypothesis .ruff_cache
	find package $(PARTS) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# make peers builds this too.
peers: .venv-peers-nengo/.ready

.venv-peers-nengo/.ready: benchmarks/peers/requirements-nengo.txt
	@echo "nengo-loihi's emulator in $(@D)"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check -qq install -r $<
	@touch $@
