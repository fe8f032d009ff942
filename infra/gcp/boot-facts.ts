// Bash by which a VM finds out at boot what it is: from its metadata server, else from itself. Needs curl.
import { OFFERS_ATTRIBUTE, PAID_UNTIL_ATTRIBUTE } from './vm-labels.ts'

const PATIENCE_SECONDS = 60 // in all, for a metadata server that is not up yet

/**
 * Sets what the startup script of such VMs exports. Fails nowhere, whatever options bash runs with: every command that may
 * fail is a condition.
 */
export const GCP_BOOT_FACTS = `
vm_server=\${GCE_METADATA_HOST:-169.254.169.254}
vm_until=$((SECONDS + ${PATIENCE_SECONDS}))
vm_read() { # vm_read PATH: sets vm_answer; empty if there is nothing, or nobody answers
  local answer
  while :; do
    answer=$(curl --silent --noproxy '*' --connect-timeout 2 --max-time 5 --write-out '\\n%{http_code}' \\
      -H 'Metadata-Flavor: Google' "http://$vm_server/computeMetadata/v1/instance/$1" || true)
    case $answer in
      *$'\\n'200) vm_answer=\${answer%$'\\n'*}; return 0 ;;
      *$'\\n'404) vm_answer=; return 0 ;;
    esac
    if [ "$SECONDS" -ge "$vm_until" ]; then vm_answer=; return 0; fi
    sleep 1
  done
}
vm_read machine-type; vm_type=\${vm_answer##*/}; vm_type=\${vm_type:-unknown}
vm_read zone; vm_zone=\${vm_answer##*/}
vm_read scheduling/preemptible
if [ "$vm_answer" = FALSE ]; then vm_spot=False; else vm_spot=True; fi
vm_read attributes/${PAID_UNTIL_ATTRIBUTE}; vm_paid_until=$vm_answer
case $vm_paid_until in *[!0-9]*) vm_paid_until= ;; esac
vm_read attributes/${OFFERS_ATTRIBUTE}
vm_vcpus= vm_memory_gb= vm_ssd_gb= vm_disk_gb= vm_price= vm_tasks=
while IFS= read -r vm_line || [ -n "$vm_line" ]; do
  case $vm_line in "$vm_type $vm_zone "*)
    IFS=' ' read -r vm_vcpus vm_memory_gb vm_ssd_gb vm_disk_gb vm_price vm_tasks <<< "\${vm_line#"$vm_type $vm_zone "}" || true
    break ;;
  esac
done <<< "$vm_answer"
if [ -z "$vm_tasks" ]; then
  vm_vcpus=$(nproc || echo 1)
  vm_memory_gb=$(awk '/^MemTotal:/ { printf "%.1f", $2 / 1048576 }' /proc/meminfo || echo 1.0)
  vm_ssd_gb=0 vm_disk_gb=$(df --output=size --block-size=1G / | tail -n 1 | tr -d ' ' || echo 10)
  vm_price=0.0 vm_tasks=$vm_vcpus
fi
unset -f vm_read
unset vm_server vm_until vm_answer vm_zone vm_line
`.trim()
