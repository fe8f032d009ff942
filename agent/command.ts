// The program cloud-tasks-agent: from a command line to an exit code.
import { readFileSync } from 'node:fs'
import { messageOf, UserError } from '../core/errors.ts'
import { type CommandLine, parseCommandLine, renderHelp } from './command-line.ts'
import { type Env, openConnections } from './connections.ts'
import { type Log, openLog } from './log.ts'
import { runAgent } from './run-agent.ts'
import { optionsOf, pythonFolder, taskProgram } from './task-program.ts'

export async function runCommand(words: readonly string[], env: Env): Promise<number> {
  let log = openLog({ verbose: false })
  try {
    if (words[0] === 'serve') return await (await import('./http/serve-command.ts')).runServe(words.slice(1), env)
    if (words[0] === 'python-path') return print(`${pythonFolder() ?? ''}\n`)
    const commandLine = parseCommandLine(words, env)
    if (commandLine.ask === 'help') return print(renderHelp())
    if (commandLine.ask === 'version') return print(`${version()}\n`)
    log = openLog(commandLine)
    return await work(commandLine, env, log)
  } catch (error) {
    if (!(error instanceof UserError)) {
      log.error(`The agent failed: ${messageOf(error)}`)
      log.debug(error instanceof Error ? (error.stack ?? '') : '')
      return 1
    }
    process.stderr.write(`${error.message}\n`)
    return error.exitCode
  }
}

async function work({ settings, task }: CommandLine, env: Env, log: Log): Promise<number> {
  // A wrong command line is told before anything is opened.
  if (task === undefined) taskProgram(task, { maxMemoryGb: undefined })
  const ending = await runAgent({
    settings,
    connections: await openConnections(settings, env),
    program: () => taskProgram(task, optionsOf(settings)),
    log,
    signals: true,
  })
  return ending.kind === 'fatal' ? 1 : 0
}

function version(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const manifest: { name?: string; version?: string } = JSON.parse(
        readFileSync(new URL(up, import.meta.url), 'utf8'),
      )
      if (manifest.name === 'cloud-tasks') return manifest.version ?? 'unknown'
    } catch {
      // compiled code lies one folder deeper
    }
  }
  return 'unknown'
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
