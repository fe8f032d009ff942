// A log that says the same trouble once and not every second: what lasts for hours, such as credentials that have expired,
// would else bury all that is said beside it.
import { type Clock, systemClock } from '../../core/clock.ts'
import type { LogLevel, Terminal } from './terminal.ts'

const REMIND_MS = 10 * 60_000 // whoever comes back from a break finds it near the end of the log
const MAX_REMEMBERED = 1000 // sentences may differ without end

export function calmLog(
  terminal: Pick<Terminal, 'log'>,
  clock: Pick<Clock, 'now'> = systemClock,
): (level: LogLevel, text: string) => void {
  const saidAtMs = new Map<string, number>()
  return (level, text) => {
    if (level !== 'WARNING' && level !== 'ERROR') return terminal.log(level, text)
    const nowMs = clock.now()
    const saidMs = saidAtMs.get(text)
    if (saidMs !== undefined && nowMs - saidMs < REMIND_MS) return terminal.log('DEBUG', text)
    saidAtMs.delete(text) // to the end of the order, in which the oldest are forgotten
    saidAtMs.set(text, nowMs)
    const [oldest] = saidAtMs.keys()
    if (saidAtMs.size > MAX_REMEMBERED && oldest !== undefined) saidAtMs.delete(oldest)
    terminal.log(level, text)
  }
}
