# The two commands of the README (make demo, make test) and what stands behind them. Each sets up what it needs: Debian packages, a Python
# environment with Meson and LibTorch, the build.
SHELL := /bin/bash
BUILD ?= build
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
PACKAGES := g++ make pkg-config ccache python3-venv libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev \
  libonnx-dev libprotobuf-dev protobuf-compiler zlib1g-dev libjpeg62-turbo-dev libpng-dev libboost-dev libnlopt-dev graphviz catch2 dataset-fashion-mnist clang-format
MESON_FLAGS ?= --unity on
MESON := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/meson

.PHONY: help packages build demo test asan fuzz benchmark format format-check clean

help:
	@echo "make demo          build, then train, prune, thin, fine-tune, quantise and export a LeNet on Fashion-MNIST"
	@echo "make test          build and run every test"
	@echo "make build         build/compress"
	@echo "make asan          the tests of core, graph, io, quant and schedule under address and undefined-behaviour sanitizers"
	@echo "make fuzz          the ONNX importer on damaged files, under libFuzzer (FUZZ_SECONDS=600)"
	@echo "make benchmark     the measured comparisons of benchmarks/RESULTS.md"
	@echo "make format        clang-format over all sources"

packages:
	@missing=""; for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing Debian packages:$$missing"; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

$(VENV)/ready: tests/requirements.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@

$(BUILD)/build.ninja: | packages $(VENV)/ready
	$(MESON) setup $(BUILD) $(MESON_FLAGS)

build: packages $(VENV)/ready $(BUILD)/build.ninja
	$(MESON) compile -C $(BUILD) compress

demo: build
	$(BUILD)/compress run schedules/lenet5_fashion_mnist.yaml --out runs/demo-$$(date +%Y%m%d-%H%M%S)

test: packages $(VENV)/ready $(BUILD)/build.ninja
	$(MESON) compile -C $(BUILD)
	$(MESON) test -C $(BUILD) --print-errorlogs

# Little optimisation and few debug lines: with more the instrumented build takes four times as long. LeakSanitizer is off because protobuf
# and LibTorch keep tables until the end of the process.
asan: packages $(VENV)/ready
	[ -f build-asan/build.ninja ] || $(MESON) setup build-asan --unity on --buildtype plain -Dcpp_args='-O1 -g1 -fno-omit-frame-pointer' \
	  -Db_sanitize=address,undefined -Db_lundef=false
	$(MESON) compile -C build-asan test_core test_graph test_io test_quant test_schedule
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  $(MESON) test -C build-asan --no-rebuild --print-errorlogs core graph io quant schedule

# Clang 16 is the oldest that compiles <ranges>. LibTorch is not instrumented, hence no container checks across its border.
FUZZ_SECONDS ?= 600
FUZZ_PACKAGES := clang-16 libclang-rt-16-dev
fuzz: packages $(VENV)/ready
	$(MAKE) packages PACKAGES="$(FUZZ_PACKAGES)"
	[ -f build-fuzz/build.ninja ] || CXX=clang++-16 $(MESON) setup build-fuzz $(MESON_FLAGS) --optimization 1 -Dfuzz=true \
	  -Db_sanitize=address,undefined -Db_lundef=false -Dcpp_args=-fsanitize=fuzzer-no-link
	$(MESON) compile -C build-fuzz fuzz_onnx
	$(BIN)/python tests/fuzz/make_corpus.py build-fuzz
	OMP_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0:detect_container_overflow=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	  build-fuzz/tests/fuzz_onnx build-fuzz/corpus -dict=build-fuzz/onnx.dict -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 \
	  -max_len=20000 -artifact_prefix=build-fuzz/

benchmark: build
	$(BIN)/meson configure $(BUILD) -Dbenchmarks=true
	$(MESON) compile -C $(BUILD)
	$(BIN)/python benchmarks/run.py --step $(BUILD)/benchmarks/step

SOURCES = git ls-files '*.cpp' '*.h'
format: packages
	$(SOURCES) | xargs clang-format -i
format-check: packages
	$(SOURCES) | xargs clang-format --dry-run -Werror

clean:
	rm -rf $(BUILD) build-asan build-fuzz
