// The one owner of stdout, stderr and the keyboard: results on stdout, log and progress on stderr, never one inside the other.
import { createInterface } from 'node:readline/promises'
import { PipedLines } from './piped-lines.ts'

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL'
const LEVELS: readonly LogLevel[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']

export interface Terminal {
  /** Whether a block is redrawn in place. */
  readonly live: boolean
  readonly columnCount: number
  /** One or more lines on stdout. */
  print(text: string): void
  log(level: LogLevel, text: string): void
  setLogLevel(level: LogLevel): void
  /** Replaces the block at the bottom of the screen; an empty list removes it. Nothing without a terminal. */
  showBlock(lines: readonly string[]): void
  /** The answer; undefined if there is nobody to ask. `piped` also takes a line that is not typed but piped in. */
  ask(
    question: string,
    options?: { readonly piped?: boolean; readonly signal?: AbortSignal },
  ): Promise<string | undefined>
}

export interface TerminalOptions {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: Readonly<Record<string, string | undefined>>
}

export function openTerminal({ stdin, stdout, stderr, env }: TerminalOptions): Terminal {
  let level: LogLevel = 'WARNING'
  let block: readonly string[] = []
  let drawnLines = 0
  let asking = false
  const pipedLines = new PipedLines(stdin)
  const live = stderr.isTTY === true && env.TERM !== 'dumb'
  // A reader that went away (`| head`) is no reason to abandon VMs: what cannot be shown is dropped.
  for (const stream of [stdout, stderr]) stream.on('error', () => {})

  function erase(): string {
    const text = drawnLines === 0 ? '' : `\x1b[${drawnLines}A\x1b[0J`
    drawnLines = 0
    return text
  }

  function draw(): string {
    if (block.length === 0 || asking) return ''
    drawnLines = block.length
    return block.map(line => `${line}\n`).join('')
  }

  function above(write: () => void): void {
    if (live) stderr.write(erase())
    write()
    if (live) stderr.write(draw())
  }

  return {
    live,
    get columnCount() {
      return stderr.columns || 80 // some pseudo-terminals say 0
    },
    print(text) {
      above(() => stdout.write(`${text}\n`))
    },
    log(at, text) {
      if (LEVELS.indexOf(at) < LEVELS.indexOf(level)) return
      above(() => stderr.write(`${localTime(new Date())} ${at} - ${text}\n`))
    },
    setLogLevel(next) {
      level = next
    },
    showBlock(lines) {
      if (!live || asking) return
      block = lines
      stderr.write(erase() + draw())
    },
    async ask(question, { piped = false, signal } = {}) {
      if (!stdin.isTTY && !piped) return undefined
      if (!stdin.isTTY) {
        stderr.write(question)
        return pipedLines.next(signal)
      }
      const lines = createInterface({ input: stdin, output: stderr, terminal: live })
      stderr.write(erase())
      asking = true
      try {
        const closed = new Promise<undefined>(resolve => {
          lines.once('close', () => resolve(undefined))
          lines.once('SIGINT', () => resolve(undefined)) // Ctrl-C at a question is no answer
          signal?.addEventListener('abort', () => resolve(undefined), { once: true })
        })
        const answer = lines.question(question, signal === undefined ? {} : { signal }).catch(() => undefined)
        return await Promise.race([answer, closed])
      } finally {
        lines.close()
        asking = false
      }
    },
  }
}

function localTime(at: Date): string {
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, -1).replace('T', ' ')
}
