# The front door of calstack. `make` alone lists the verbs; `calstack VERB --help` has their options.
#   make VERB [INVENTORY=lab] [LIMIT=host]

INVENTORY ?= lab
LIMIT ?=
FROM ?=
RUN ?=
WHAT ?= seed proxy backups
# Of the tests, which wait for most of the time: three keep two processors busy.
WORKERS ?= 3

override chosen = --inventory "$(INVENTORY)" $(if $(LIMIT),--limit "$(LIMIT)")
# A repository goes by its name in the settings, or by its address.
override from = $(if $(FROM),--new-host $(if $(findstring /,$(FROM)),--repository,--from) "$(FROM)")
override calstack = .venv/bin/calstack

.DEFAULT_GOAL := help
.PHONY: help deploy render verify seed smoke backup check-backups restore secrets lab-up lab-down test test-long bench lint .runtime .development

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

deploy: .runtime ## converge, bootstrap, seed, smoke-test, report
	@$(calstack) deploy $(chosen)

render: .runtime ## the files that each host would get, into rendered/, without any host
	@$(calstack) render $(chosen)

verify: .runtime ## is each host what it should be? (read-only)
	@$(calstack) verify $(chosen)

seed: .runtime ## make the instances hold what seed.yaml declares
	@$(calstack) seed $(chosen)

smoke: .runtime ## book as a guest would, and leave nothing behind
	@$(calstack) smoke $(chosen)

backup: .runtime ## a run into every repository, now
	@$(calstack) backup now $(chosen)

check-backups: .runtime ## restore the newest run of every repository and compare it
	@$(calstack) check-backups $(chosen)

restore: .runtime ## the way back: in place, or with FROM=repository onto a bare machine
	@$(calstack) restore $(RUN) $(from) $(chosen)

secrets: .runtime ## list the secrets of the inventory, without their values
	@$(calstack) secrets list --inventory "$(INVENTORY)"

lab-up: .runtime ## start the lab's disposable hosts
	@$(calstack) lab up --inventory "$(INVENTORY)"

lab-down: .runtime ## remove every trace of the lab's hosts
	@$(calstack) lab down --inventory "$(INVENTORY)"

test: .development ## lint, types, doors, unit, contract and the lab end to end
	@bin/check
	@.venv/bin/python -m pytest -m "not long" -n $(WORKERS)

test-long: .development ## the long sweeps as well
	@.venv/bin/python -m pytest -m "long"

bench: .development ## seeding, proxy, backups beside simpler ways (WHAT=seed, proxy or backups: that alone)
	@for what in $(WHAT); do .venv/bin/python -m "tests.bench.$$what" || exit 1; done

lint: .development ## style, types, doors
	@bin/check

.runtime:
	@bin/bootstrap

.development:
	@bin/bootstrap dev
