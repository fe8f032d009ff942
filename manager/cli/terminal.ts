// The one owner of stdout, stderr and the keyboard: results on stdout, log and progress on stderr, never one inside the other.
import { createInterface } from 'node:readline/promises'
import { cutTo, widthOf } from '../progress-width.ts'
import { PipedLines } from './piped-lines.ts'

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL'
const LEVELS: readonly LogLevel[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']

export interface ScreenSize {
  readonly columnCount: number
  readonly rowCount: number
}

/** The lines of a block for a screen of this size: none wider, nor more. */
export type Block = (size: ScreenSize) => readonly string[]

export interface Terminal {
  /** Whether a block is redrawn in place. */
  readonly live: boolean
  /** Of stdout; undefined if it is no terminal, and what is printed there is plain. */
  readonly printColumnCount: number | undefined
  /** One or more lines on stdout. */
  print(text: string): void
  log(level: LogLevel, text: string): void
  setLogLevel(level: LogLevel): void
  /** Replaces the block at the bottom of the screen; an empty list removes it. Nothing without a terminal. */
  showBlock(block: Block | readonly string[]): void
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
  let block: Block = NO_BLOCK
  let drawn: readonly string[] = []
  let asking = false
  const pipedLines = new PipedLines(stdin)
  const live = stderr.isTTY === true && env.TERM !== 'dumb'
  // A reader that went away (`| head`) is no reason to abandon VMs: what cannot be shown is dropped.
  for (const stream of [stdout, stderr]) stream.on('error', () => {})

  // The block is drawn anew at once: what was drawn for another width would wrap, and could not be erased line by line.
  if (live) stderr.on('resize', () => drawn.length > 0 && stderr.write(erase() + draw()))

  /** Asked anew each time: the news of another size may still be on its way. Some pseudo-terminals say 0. */
  function size(): ScreenSize {
    const [columns, rows] = live ? stderr.getWindowSize() : [0, 0]
    return { columnCount: columns || 80, rowCount: rows || 24 }
  }

  function erase(): string {
    // A screen that has become narrower wraps what was drawn before.
    const { columnCount } = size()
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columnCount)), 0)
    drawn = []
    return rows === 0 ? '' : `\x1b[${rows}A\x1b[0J`
  }

  function draw(): string {
    if (asking) return ''
    const screen = size()
    // A line longer than the screen would wrap, and more lines than it has could not be erased.
    drawn = block(screen)
      .slice(0, screen.rowCount - 1)
      .map(line => cutTo(line, screen.columnCount - 1))
    return drawn.map(line => `${line}\n`).join('')
  }

  /** In one piece where it can be, so that nothing else gets in between. */
  function above(stream: NodeJS.WriteStream, text: string): void {
    if (!live) stream.write(text)
    else if (stream === stderr) stderr.write(erase() + text + draw())
    else {
      stderr.write(erase())
      stream.write(text)
      stderr.write(draw())
    }
  }

  return {
    live,
    get printColumnCount() {
      return stdout.isTTY === true && env.TERM !== 'dumb' ? stdout.getWindowSize()[0] || 80 : undefined
    },
    print(text) {
      above(stdout, `${text}\n`)
    },
    log(at, text) {
      if (LEVELS.indexOf(at) < LEVELS.indexOf(level)) return
      above(stderr, `${localTime(new Date())} ${at} - ${text}\n`)
    },
    setLogLevel(next) {
      level = next
    },
    showBlock(next) {
      if (!live || asking) return
      block = typeof next === 'function' ? next : () => next
      const text = erase() + draw()
      if (text !== '') stderr.write(text)
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

const NO_BLOCK: Block = () => []

function localTime(at: Date): string {
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, -1).replace('T', ' ')
}
