// Bash that every VM of a cloud boots with: log, fetch, secrets, and the end of a VM that cannot work. No cloud in particular.

/**
 * Expects of the cloud's own bash: `ct_fetch_store URL FILE` for addresses that are not http(s), and
 * `ct_read_secret ADDRESS`, which prints the secret. Both fail with a message on stderr.
 */
export const BOOT_TOOLS = `export HOME="\${HOME:-/root}"
ct_home="\${CLOUD_TASKS_HOME:-/opt/cloud-tasks}"
ct_log() { printf 'cloud-tasks: %s\\n' "$*" >&2; }
ct_systemd() { [ -d "\${CLOUD_TASKS_SYSTEMD:-/run/systemd/system}" ]; }
# Ends this VM and its bill; never returns.
ct_power_off() {
  ct_log "powering off: $*"
  sync
  if ct_systemd; then systemctl poweroff || shutdown -h now; else shutdown -h now || poweroff; fi
  sleep 300
  exit 1
}
# Three tries, each bounded; the second and third after 5 and 15 s.
ct_fetch() { # URL FILE
  local wait
  for wait in 5 15 0; do
    case "$1" in
      http://*|https://*) curl -fsSL --connect-timeout 20 --max-time 900 -o "$2" -- "$1" && return 0 ;;
      *) ct_fetch_store "$1" "$2" && return 0 ;;
    esac
    [ "$wait" = 0 ] || sleep "$wait"
  done
  ct_log "$1 cannot be fetched"
  return 1
}
ct_secret() { # NAME ADDRESS; the x keeps line ends that the shell would cut off
  local value
  value=$(ct_read_secret "$2" && printf x) || ct_power_off "the secret $1 cannot be read from $2"
  export "$1=\${value%x}"
}`
