// A tiny shell process that outlives a killed agent just long enough to kill what the agent left running. It waits for the
// end of its stdin, which the kernel brings about however the agent dies. Needed because a task in an endless loop, or a
// program that never reads, does not notice that its agent is gone.
import { spawn } from 'node:child_process'
import { TASK_PROCESS_MARK } from './process-tree.ts'

// `+ pid` and `- pid` keep the list of task process groups; at the end the groups die, and whoever bears the agent's mark.
const SCRIPT = `
trap '' INT TERM HUP
pids=' '
while read -r op pid; do
  case $op in
    +) pids="$pids$pid " ;;
    -) case $pids in *" $pid "*) pids="\${pids%%" $pid "*} \${pids#*" $pid "}" ;; esac ;;
  esac
done
for pid in $pids; do kill -9 "-$pid"; done 2>/dev/null
for dir in /proc/[0-9]*; do
  if tr '\\0' '\\n' < "$dir/environ" 2>/dev/null | grep -q "^$1"; then kill -9 "\${dir#/proc/}"; fi
done 2>/dev/null
`

export interface Undertaker {
  /** To be told right after a process was started: if the agent dies before, the process notices the end of its input. */
  watch(pid: number): void
  forget(pid: number): void
  close(): void
}

export function openUndertaker(agentMark: string): Undertaker {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'undertaker', `${TASK_PROCESS_MARK}=${agentMark}-`], {
    detached: true, // a signal to the agent's group must not hit it
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => {}) // no /bin/sh: tasks are left to notice the end of their input
  child.stdin.on('error', () => {})
  child.unref()
  return {
    watch: pid => void child.stdin.write(`+ ${pid}\n`),
    forget: pid => void child.stdin.write(`- ${pid}\n`),
    close: () => void child.stdin.end(),
  }
}
