#!/bin/sh
# Last step of the root of lego and Pebble ($1): nothing stays that neither reads.
set -eu
root=$1

rm -rf "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/share/i18n \
    "$root"/usr/lib/*/gconv "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
