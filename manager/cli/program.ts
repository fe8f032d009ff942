// From words to an exit code: parses, loads the one command that is asked for, and says in one sentence what went wrong.
import { messageOf, UserError } from '../../core/errors.ts'
import { type ParsedCommandLine, parseCommandLine } from './parse-command-line.ts'
import { openTerminal, type Terminal } from './terminal.ts'

export async function runProgram(words: readonly string[]): Promise<number> {
  const terminal = openTerminal({
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
  })
  let parsed: ParsedCommandLine
  try {
    parsed = parseCommandLine(words)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    process.stderr.write(`${error.message}\n`)
    return error.exitCode
  }
  if (parsed.kind === 'version') {
    const { programVersion } = await import('./program-version.ts')
    terminal.print(await programVersion())
    return 0
  }
  if (parsed.kind === 'help') {
    const { renderHelp } = await import('./render-help.ts')
    terminal.print(renderHelp(parsed.command))
    return 0
  }
  const verbosity = parsed.options.count('verbose') ?? 0
  terminal.setLogLevel(verbosity === 0 ? 'WARNING' : verbosity === 1 ? 'INFO' : 'DEBUG')
  try {
    const run = await parsed.command.load()
    return await run({ options: parsed.options, terminal, env: process.env })
  } catch (error) {
    return explain(error, { terminal, stack: verbosity >= 2 })
  }
}

function explain(error: unknown, { terminal, stack }: { terminal: Terminal; stack: boolean }): number {
  terminal.showBlock([])
  if (stack && error instanceof Error) terminal.log('DEBUG', error.stack ?? error.message)
  if (error instanceof Error && error.name === 'InvalidConfiguration') {
    terminal.print(`Invalid configuration: ${error.message}`)
    return 1
  }
  terminal.log('CRITICAL', messageOf(error))
  return error instanceof UserError ? error.exitCode : 1
}
