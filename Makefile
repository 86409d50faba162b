# Every target installs what it needs: Node 24 when the machine's is older, and the dependencies of package-lock.json.
WITH_NODE := bin/with-node
.DEFAULT_GOAL := help
.PHONY: help deps run test lint format typecheck generate verify real-parts bench faults soak

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install Node and the dependencies where they are missing
	@$(WITH_NODE) true

run: ## run Carillon on this machine (ARGS="--listen 127.0.0.1:8081" adds arguments)
	@bin/carillon dev $(ARGS)

test: ## check format, lint, types and generated files, and run all tests
	@$(WITH_NODE) node test/run.ts

bench: ## measure speed against baselines in the same run (ARGS="--only kafka"; a few minutes)
	@$(WITH_NODE) node test/bench/run.ts $(ARGS)

faults: ## break every part in the middle of a load and judge what became of it (ARGS="--seeds 1 --only worker"; half an hour)
	@$(WITH_NODE) node test/faults/run.ts $(ARGS)

soak: ## a steady load with a fault every 20 s (ARGS="--minutes 10 --seed 17")
	@$(WITH_NODE) node test/faults/soak.ts $(ARGS)

lint: ## find mistakes and imports against the direction of the house
	@$(WITH_NODE) node_modules/.bin/oxlint

format: ## format the tree
	@$(WITH_NODE) node_modules/.bin/biome format --write

typecheck: ## check the types
	@$(WITH_NODE) node_modules/.bin/tsc --project .

generate: ## write the CRDs, the JSON Schemas and the reference from the schemas
	@$(WITH_NODE) node crds/generate.ts

verify: ## fail when a generated file is stale
	@$(WITH_NODE) node crds/generate.ts --check

real-parts: ## install the real parts that tests use and that are missing (from Debian, as root, Maven Central and the Go module proxy)
	@$(WITH_NODE) node test/harness/parts/real-parts.ts
