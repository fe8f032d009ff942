#!/bin/bash
# One task and the end: counts the primes below a number that stands in the task on stdin; prints the result.
set -euo pipefail

task=$(cat)
[[ $task =~ \"below\":\ *([0-9]+) ]] || { echo "The task has no \"below\"." >&2; exit 65; }
below=${BASH_REMATCH[1]}

primes=$(seq 2 $((below - 1)) | factor | awk 'NF == 2' | wc -l)
echo "{\"below\": $below, \"primes\": $primes}"
