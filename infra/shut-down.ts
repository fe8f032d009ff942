// Shuts down the operating system of this VM, by whatever means it has.
import { execFile } from 'node:child_process'
import { messageOf } from '../core/errors.ts'

const COMMAND_MS = 5_000
/** Each is tried when those before it have failed. The last: an agent that does not run as root. */
const COMMANDS = [
  ['shutdown', '-h', 'now'],
  ['systemctl', 'poweroff'],
  ['poweroff'],
  ['sudo', '-n', 'shutdown', '-h', 'now'],
] as const

/** Resolves to nothing where it has begun, else to why each of them failed. */
export async function shutDown(): Promise<readonly string[]> {
  const failures: string[] = []
  for (const [program, ...args] of COMMANDS) {
    const failure = await failureOf(program, args)
    if (failure === undefined) return []
    failures.push(failure)
  }
  return failures
}

function failureOf(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise(resolve => {
    execFile(program, args, { timeout: COMMAND_MS, killSignal: 'SIGKILL' }, (error, _stdout, stderr) => {
      resolve(error === null ? undefined : `${program}: ${stderr.trim() || messageOf(error).trim()}`)
    })
  })
}
