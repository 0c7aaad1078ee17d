#!/bin/sh
# reasons.sh WNACTL OPERATIONS.MD: the page's table of reasons is the agent's.
set -eu
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$1" status --reasons > "$made"
sed -n '/^| reason | meaning/,/^$/{/./p;}' "$2" | diff - "$made"
