// One process for one task, of a program that knows nothing of us: the task as JSON on its stdin, the result on its stdout,
// exit code 0 = done. Looks like any other task process to its slot, and like files and variables to the program:
// docs/workers/executables.md.
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../core/errors.ts'
import { parseExactJson } from '../core/exact-json.ts'
import { type ProcessGroup, startProcessGroup } from './process-group.ts'
import type { StartTaskProcess } from './task-process.ts'

const MAX_RESULT_BYTES = 64 * 1024 ** 2

export const startOneShot: StartTaskProcess = (program, mark, undertaker, events, log) => {
  let running: { readonly group: ProcessGroup; readonly folder: string } | undefined
  return {
    get pid() {
      return running?.group.pid
    },
    write(line) {
      if (line.startsWith('{"control":')) tell(line)
      else if (running === undefined) start(line)
    },
    end: () => running?.group.expectEnd(),
    kill: () => running?.group.kill(),
    killNow: () => running?.group.killNow(),
  }

  function start(line: string): void {
    const { task_id: taskId, attempt = 1, checkpoint } = JSON.parse(line)
    const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-one-shot-'))
    const file = (name: string) => join(folder, name)
    // Files, not pipes: /dev/stdin works, and a long result needs nobody to read it meanwhile.
    writeFileSync(file('task.json'), line)
    const savedBefore = checkpoint === undefined ? undefined : JSON.stringify(checkpoint)
    if (savedBefore !== undefined) writeFileSync(file('checkpoint.json'), savedBefore)
    const stdin = openSync(file('task.json'), 'r')
    const stdout = openSync(file('result'), 'ax+')
    const answer = (fields: string) => events.lines([`{"task_id":${JSON.stringify(taskId)},${fields}}`])
    const finish = () => {
      closeSync(stdin)
      closeSync(stdout)
      rmSync(folder, { recursive: true, force: true })
    }
    const group = startProcessGroup(
      {
        file: program.file,
        args: program.args,
        env: {
          ...program.env,
          CLOUD_TASKS_TASK_ID: taskId,
          CLOUD_TASKS_ATTEMPT: String(attempt),
          CLOUD_TASKS_CHECKPOINT_FILE: file('checkpoint.json'),
          CLOUD_TASKS_TERMINATION_FILE: file('termination'),
          CLOUD_TASKS_SHUTDOWN_FILE: file('shutdown'),
        },
        stdio: [stdin, stdout, log.descriptor],
        mark,
        undertaker,
      },
      {
        ended(exitCode) {
          // Checkpoint first: whatever follows, the next attempt may need it.
          const saved = readIfThere(file('checkpoint.json'))
          if (saved !== undefined && saved !== savedBefore) answer(`"checkpoint":${jsonOf(saved)}`)
          const tooLong = fstatSync(stdout).size > MAX_RESULT_BYTES
          const printed = tooLong ? '' : readFileSync(file('result'), 'utf8')
          finish()
          if (exitCode === 0 && tooLong)
            answer(`"exception":"The result has more than ${MAX_RESULT_BYTES} bytes.","retryable":false`)
          else if (exitCode === 0) answer(`"result":${jsonOf(printed)}`)
          else if (printed !== '') writeLog(printed)
          events.ended(exitCode)
        },
        failedToStart(reason) {
          finish()
          events.failedToStart(reason)
        },
      },
    )
    running = { group, folder }
  }

  /** What a failed program printed is no result: it belongs to the log. */
  function writeLog(text: string): void {
    const { descriptor } = log
    if (descriptor !== 'inherit') writeSync(descriptor, text.endsWith('\n') ? text : `${text}\n`)
  }

  function tell(line: string): void {
    if (running === undefined || running.group.over()) return
    const { control, deadline_seconds: seconds = '' } = JSON.parse(line)
    const name = control === 'terminate' ? 'termination' : control === 'shutdown' ? 'shutdown' : undefined
    if (name !== undefined) writeFileSync(join(running.folder, name), `${seconds}\n`)
  }
}

/** As it is, if it is JSON; nothing is null; any other text is a string. */
function jsonOf(text: string): string {
  if (text.trim() === '') return 'null'
  try {
    return JSON.stringify(parseExactJson(text))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return JSON.stringify(text.endsWith('\n') ? text.slice(0, -1) : text)
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
