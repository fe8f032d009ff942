#!/bin/bash
# A one-shot program that goes on where an interrupted attempt has left off, and saves its work when the VM goes away.
set -euo pipefail

row=0
if [ -s "$CLOUD_TASKS_CHECKPOINT_FILE" ]; then row=$(cat "$CLOUD_TASKS_CHECKPOINT_FILE"); fi

while [ "$row" -lt 200 ]; do
  sleep 0.01 # the work
  row=$((row + 1))
  echo "$row" > "$CLOUD_TASKS_CHECKPOINT_FILE.new"
  mv "$CLOUD_TASKS_CHECKPOINT_FILE.new" "$CLOUD_TASKS_CHECKPOINT_FILE" # never half a checkpoint
  if [ -e "$CLOUD_TASKS_TERMINATION_FILE" ]; then exit 75; fi          # made when the VM is about to be taken away
done
echo "{\"rows\": $row, \"attempt\": $CLOUD_TASKS_ATTEMPT}"
