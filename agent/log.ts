// One line a message on stderr, in the format of the Python system: local time, level, text.

export interface Log {
  debug(text: string): void
  info(text: string): void
  warning(text: string): void
  error(text: string): void
}

export function openLog({ verbose }: { readonly verbose: boolean }): Log {
  const write = (level: string, text: string) => {
    process.stderr.write(`${localTime(new Date())} ${level} - ${text}\n`)
  }
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
