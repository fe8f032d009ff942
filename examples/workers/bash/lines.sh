#!/bin/bash
# A warm process: reads a task a line and answers a line, until there are no more.
set -euo pipefail

while IFS= read -r task; do
  if [[ $task =~ \"below\":\ *([0-9]+) ]]; then
    below=${BASH_REMATCH[1]}
    primes=$(seq 2 $((below - 1)) | factor | awk 'NF == 2' | wc -l)
    echo "{\"result\": {\"below\": $below, \"primes\": $primes}}"
  else
    echo '{"exception": "The task has no \"below\"."}'
  fi
done
