// Renders the script that brings Node, the agent and the user's folder onto a VM, and runs the job's task there. Every
// download is checked against its checksum. Expects the functions of infra/boot-tools.ts.

/** Something to fetch and unpack: a .tar.gz. */
export interface Delivery {
  /** http(s), or an address that the cloud's own bash fetches. */
  readonly url: string
  /** Hexadecimal. Absent: a file SHASUMS256.txt lies beside it, as the makers of Node publish it. */
  readonly sha512?: string | undefined
}

export interface AgentBoot {
  /** As in the job file, e.g. `./task.ts` or `-- command args`. */
  readonly task: string
  /** Holds bin/node in its top folder. */
  readonly node: Delivery
  /** Holds bin/cloud-tasks-agent. */
  readonly agent: Delivery
  /** The folder in which the task runs. */
  readonly bundle?: Delivery | undefined
}

const NODE_VERSION = '24.21.0' // the one that we are developed and tested with
const TRIES = 3 // a start that fails so often is the fault of the task or the bundle: the VM ends
const TRIES_WITHIN_SECONDS = 1800
const TRY_AGAIN_SECONDS = 5
const STOP_SECONDS = 45 // the agent's grace for running tasks is 30 s

/**
 * Order: everything is fetched and checked before anything runs, so that a VM either works or ends. Run again after a
 * crash in the middle, it does all of it again.
 */
export function renderAgentBoot({ task, node, agent, bundle }: AgentBoot): string {
  return `#!/bin/bash
set -u
umask 077
job="$ct_home/job"
mkdir -p "$ct_home" "$job"
check() { # FILE URL SHA512
  if [ -n "$3" ]; then echo "$3  $1" | sha512sum -c --status; return; fi
  ct_fetch "\${2%/*}/SHASUMS256.txt" "$1.sums" || return 1
  echo "$(awk -v name="\${2##*/}" '$2 == name { print $1 }' "$1.sums")  $1" | sha256sum -c --status
}
bring() { # WHAT URL SHA512 FOLDER DEPTH
  ct_fetch "$2" "$ct_home/$1.tar.gz" || return 1
  check "$ct_home/$1.tar.gz" "$2" "$3" || { ct_log "$2 is not what it should be: its checksum differs"; return 1; }
  mkdir -p "$4" && tar -xzf "$ct_home/$1.tar.gz" -C "$4" --strip-components="$5" --no-same-owner && rm "$ct_home/$1.tar.gz"
}
${bringLine('node', node, '"$ct_home/node"', 1)} || exit 1
${bringLine('agent', agent, '"$ct_home/agent"', 0)} || exit 1
${bundle === undefined ? '' : `${bringLine('bundle', bundle, '"$job"', 0)} || exit 1\n`}export PATH="$ct_home/agent/bin:$ct_home/node/bin:$PATH"
export PYTHONPATH="$ct_home/agent/agent/python\${PYTHONPATH:+:$PYTHONPATH}"
# What tasks import as "cloud-tasks" is this agent, unless the bundle brings its own.
[ -e "$job/node_modules/cloud-tasks" ] || { mkdir -p "$job/node_modules" && ln -s "$ct_home/agent" "$job/node_modules/cloud-tasks"; }
export -p > "$ct_home/environment"
cat > "$ct_home/run" <<'CLOUD_TASKS_RUN'
#!/bin/bash
ct_home="\${CLOUD_TASKS_HOME:-/opt/cloud-tasks}"
. "$ct_home/environment"
cd "$ct_home/job" || exit 1
exec cloud-tasks-agent ${task}
CLOUD_TASKS_RUN
chmod 700 "$ct_home/run"
if ! ct_systemd; then
  for try in $(seq ${TRIES}); do
    "$ct_home/run" && exit 0
    ct_log "the agent failed, try $try of ${TRIES}"
    [ "$try" = ${TRIES} ] || sleep ${TRY_AGAIN_SECONDS}
  done
  exit 1
fi
cat > /etc/systemd/system/cloud-tasks-agent.service <<CLOUD_TASKS_UNIT
[Unit]
Description=Cloud Tasks agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=${TRIES_WITHIN_SECONDS}
StartLimitBurst=${TRIES}
StartLimitAction=poweroff
[Service]
Environment=CLOUD_TASKS_HOME=$ct_home
ExecStart=$ct_home/run
Restart=on-failure
RestartSec=${TRY_AGAIN_SECONDS}
KillMode=mixed
TimeoutStopSec=${STOP_SECONDS}
OOMPolicy=continue
LimitNOFILE=1048576
TasksMax=infinity
[Install]
WantedBy=multi-user.target
CLOUD_TASKS_UNIT
systemctl daemon-reload && systemctl enable --now --no-block cloud-tasks-agent.service
`
}

/** The makers' own. */
export function publicNode(architecture: 'X86_64' | 'ARM64'): Delivery {
  const name = `node-v${NODE_VERSION}-linux-${architecture === 'ARM64' ? 'arm64' : 'x64'}.tar.gz`
  return { url: `https://nodejs.org/dist/v${NODE_VERSION}/${name}` }
}

function bringLine(what: string, { url, sha512 }: Delivery, folder: string, depth: number): string {
  return `bring ${what} ${quoteForBash(url)} '${sha512 ?? ''}' ${folder} ${depth}`
}

function quoteForBash(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
