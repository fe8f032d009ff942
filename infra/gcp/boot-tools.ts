// Bash by which a VM of Compute Engine reads its bundle from Cloud Storage and its secrets, and deletes itself, all with the
// tokens of its own service account. Needs curl alone: not every image has Python, and hardly any the Google Cloud CLI.

/**
 * Defines `ct_fetch_store` for gs://bucket/key, and `ct_read_secret` for projects/P/secrets/S/versions/V, for
 * projects/P/secrets/S, or for the name of a secret of the VM's own project. Makes `ct_power_off` delete the VM: the disk of one
 * that is only shut down stays and costs money. Tokens reach curl on its standard input: a command line can be read by every
 * process.
 */
export const GCP_BOOT_TOOLS = `ct_metadata() { # PATH
  curl -fsS --noproxy '*' --retry 5 --retry-connrefused --connect-timeout 5 --max-time 10 -H 'Metadata-Flavor: Google' \\
    "http://\${GCE_METADATA_HOST:-169.254.169.254}/computeMetadata/v1/$1"
}
ct_google_curl() { # ARGS…
  local token
  token=$(ct_metadata instance/service-accounts/default/token) || return 1
  token=$(printf %s "$token" | sed -n 's/.*"access_token" *: *"\\([^"]*\\)".*/\\1/p')
  if [ -z "$token" ]; then ct_log "the VM's service account has no token"; return 1; fi
  printf 'header = "Authorization: Bearer %s"\\n' "$token" | curl -fsS --connect-timeout 20 --max-time 900 --config - "$@"
}
ct_url_encode() { # TEXT
  local LC_ALL=C text=$1 char i
  for (( i = 0; i < \${#text}; i++ )); do
    char=\${text:i:1}
    case $char in [A-Za-z0-9._~-]) printf %s "$char" ;; *) printf '%%%02X' "'$char" ;; esac
  done
}
ct_fetch_store() { # gs://BUCKET/KEY FILE
  local bucket key base="\${STORAGE_EMULATOR_HOST:-https://storage.googleapis.com}"
  case $base in *://*) ;; *) base="http://$base" ;; esac
  case $1 in gs://*/*) ;; *) ct_log "$1 is no address of Cloud Storage"; return 1 ;; esac
  bucket=\${1#gs://}; key=\${bucket#*/}; bucket=\${bucket%%/*}
  ct_google_curl -o "$2" "\${base%/}/storage/v1/b/$bucket/o/$(ct_url_encode "$key")?alt=media"
}
ct_read_secret() { # NAME OR PATH
  local path=$1 answer
  case $path in projects/*) ;; *) path="projects/$(ct_metadata project/project-id)/secrets/$path" || return 1 ;; esac
  case $path in */versions/*) ;; *) path="$path/versions/latest" ;; esac
  answer=$(ct_google_curl "\${CLOUD_TASKS_GCP_SECRET_MANAGER_URL:-https://secretmanager.googleapis.com}/v1/$path:access") || return 1
  case $answer in *'"data"'*) ;; *) ct_log "$path has no data"; return 1 ;; esac
  printf %s "$answer" | tr -d '\\n' | sed -n 's/.*"data" *: *"\\([^"]*\\)".*/\\1/p' | base64 -d
}
ct_delete_vm() { # the id says to who lists VMs that this one ended itself: see powerOffRequestId
  local name zone project hash id
  name=$(ct_metadata instance/name) && zone=$(ct_metadata instance/zone) && project=$(ct_metadata project/project-id) || return 1
  hash=$(printf 'power off\\n%s' "$name" | sha256sum)
  id="\${hash:0:8}-\${hash:8:4}-4\${hash:13:3}-8\${hash:17:3}-\${hash:20:12}"
  ct_google_curl --max-time 30 -X DELETE -o /dev/null \\
    "\${CLOUD_TASKS_GCP_COMPUTE_URL:-https://compute.googleapis.com}/compute/v1/projects/$project/zones/\${zone##*/}/instances/$name?requestId=$id"
}
eval "$(declare -f ct_power_off | sed '1s/ct_power_off/ct_shut_down/')"
ct_power_off() { # WHY
  ct_delete_vm || ct_log 'the VM cannot delete itself: its disk stays after it is shut down'
  ct_shut_down "$@"
}`
