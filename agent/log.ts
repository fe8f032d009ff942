// One line a message on stderr or in a file, in the format of the Python system: local time, level, text.
import { appendFileSync } from 'node:fs'
import { messageOf, UserError } from '../core/errors.ts'

export interface Log {
  debug(text: string): void
  info(text: string): void
  warning(text: string): void
  error(text: string): void
}

export function openLog({ verbose }: { readonly verbose: boolean }): Log {
  return logTo(line => process.stderr.write(line), verbose)
}

/** Opens the file anew for each line, so that it can be moved away while the program runs. */
export function openFileLog(file: string, { verbose }: { readonly verbose: boolean }): Log {
  const append = (line: string) => {
    try {
      appendFileSync(file, line)
    } catch {
      process.stderr.write(line) // a full disk must not stop the program
    }
  }
  try {
    appendFileSync(file, '')
  } catch (error) {
    throw new UserError(`Log file ${file} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
  return logTo(append, verbose)
}

function logTo(append: (line: string) => void, verbose: boolean): Log {
  const write = (level: string, text: string) => append(`${localTime(new Date())} ${level} - ${text}\n`)
  return {
    debug: text => {
      if (verbose) write('DEBUG', text)
    },
    info: text => write('INFO', text),
    warning: text => write('WARNING', text),
    error: text => write('ERROR', text),
  }
}

function localTime(at: Date): string {
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, -1).replace('T', ' ')
}
