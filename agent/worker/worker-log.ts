// A worker's log: the logger that it was given, or lines on stderr, from a level on.
import { type Log, openLog } from '../log.ts'
import { LOG_LEVELS, type LogLevel, type WorkerLogger } from './worker-options.ts'

export function workerLog(logger: WorkerLogger | undefined, level: LogLevel): Log {
  const lines = openLog({ verbose: true })
  const to = logger ?? { ...lines, warn: lines.warning }
  const from = LOG_LEVELS.indexOf(level)
  const at = (name: Exclude<LogLevel, 'silent'>) => (text: string) => {
    if (LOG_LEVELS.indexOf(name) >= from) to[name](text)
  }
  return { debug: at('debug'), info: at('info'), warning: at('warn'), error: at('error') }
}
