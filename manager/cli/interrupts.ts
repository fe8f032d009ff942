// Ctrl-C, SIGTERM and a closed terminal, as something that can be awaited instead of a sudden end.

export type Interrupt = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** Exit codes that shells expect. */
export const EXIT_CODES: Readonly<Record<Interrupt, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

export interface Interrupts extends Disposable {
  /** The next one, or one that came since the last call. */
  next(): Promise<Interrupt>
}

export function watchInterrupts(): Interrupts {
  const waiting: ((interrupt: Interrupt) => void)[] = []
  const arrived: Interrupt[] = []
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map(name => {
    const handler = () => {
      const next = waiting.splice(0)
      if (next.length === 0) arrived.push(name)
      for (const resolve of next) resolve(name)
    }
    process.on(name, handler)
    return [name, handler] as const
  })
  return {
    next: () => {
      const early = arrived.shift()
      return early === undefined ? new Promise(resolve => waiting.push(resolve)) : Promise.resolve(early)
    },
    [Symbol.dispose]: () => {
      for (const [name, handler] of handlers) process.off(name, handler)
    },
  }
}
