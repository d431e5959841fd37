#!/usr/bin/env bash
# Prints a Python that can hold the project: 3.10 or newer.  $1, if not empty, is the wish.
set -euo pipefail

works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

for python in ${1:-python3 python3.13 python3.12 python3.11 python3.10}; do
    if works "$python"; then
        echo "$python"
        exit
    fi
done
echo "No Python 3.10 or newer found${1:+ as $1}. Install one, or name it: make PYTHON=/path/to/python" >&2
exit 1
