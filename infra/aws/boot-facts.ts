// Bash by which a VM finds out at boot what it is: from its metadata service and its tags, else from itself. Needs curl.
import { OFFER_TAG_PREFIX, PAID_UNTIL_TAG } from './vm-tags.ts'

const PATIENCE_SECONDS = 60 // in all, for a metadata service that is not up yet

/**
 * Sets what the startup script of such VMs exports. Fails nowhere, whatever options bash runs with: every command that may
 * fail is a condition. Stays short, because user data ends at 16 KiB.
 */
export const AWS_BOOT_FACTS = `
vm_imds=\${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
vm_imds=\${vm_imds%/}
vm_until=$((SECONDS + ${PATIENCE_SECONDS}))
vm_token=
vm_curl() { curl --silent --noproxy '*' --connect-timeout 2 --max-time 5 --write-out '\\n%{http_code}' "$@" || true; }
vm_read() { # vm_read PATH: sets vm_answer; empty if there is nothing, or nobody answers
  local answer
  while :; do
    if [ -z "$vm_token" ]; then
      answer=$(vm_curl -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 600' "$vm_imds/latest/api/token")
      case $answer in *$'\\n'200) vm_token=\${answer%$'\\n'*} ;; esac
    fi
    if [ -n "$vm_token" ]; then
      answer=$(vm_curl -H "X-aws-ec2-metadata-token: $vm_token" "$vm_imds/latest/meta-data/$1")
      case $answer in
        *$'\\n'200) vm_answer=\${answer%$'\\n'*}; return 0 ;;
        *$'\\n'404) vm_answer=; return 0 ;;
        *$'\\n'401) vm_token= ;;
      esac
    fi
    if [ "$SECONDS" -ge "$vm_until" ]; then vm_answer=; return 0; fi
    sleep 1
  done
}
vm_read instance-type; vm_type=\${vm_answer:-unknown}
vm_read placement/availability-zone; vm_zone=$vm_answer
vm_read instance-life-cycle
if [ "$vm_answer" = on-demand ]; then vm_spot=False; else vm_spot=True; fi
vm_read "tags/instance/${PAID_UNTIL_TAG}"; vm_paid_until=$vm_answer
case $vm_paid_until in *[!0-9]*) vm_paid_until= ;; esac
vm_read "tags/instance/${OFFER_TAG_PREFIX}$vm_type:$vm_zone"
vm_vcpus= vm_memory_gb= vm_ssd_gb= vm_disk_gb= vm_price= vm_tasks=
IFS=' ' read -r vm_vcpus vm_memory_gb vm_ssd_gb vm_disk_gb vm_price vm_tasks <<< "$vm_answer" || true
if [ -z "$vm_tasks" ]; then
  vm_vcpus=$(nproc || echo 1)
  vm_memory_gb=$(awk '/^MemTotal:/ { printf "%.1f", $2 / 1048576 }' /proc/meminfo || echo 1.0)
  vm_ssd_gb=0 vm_disk_gb=$(df --output=size --block-size=1G / | tail -n 1 | tr -d ' ' || echo 10)
  vm_price=0.0 vm_tasks=$vm_vcpus
fi
unset -f vm_curl vm_read
unset vm_imds vm_until vm_token vm_answer vm_zone
`.trim()
