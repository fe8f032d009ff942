// Runs a program in a real pseudo terminal that is resized on request, and knows what is then on a screen that wraps and
// reflows lines as terminals do. Only for programs that write lines, move up and erase below.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { widthOf } from '../../manager/progress-width.ts'

export const ROWS = 60
const LIMIT_MS = 30_000

/** A request to resize is granted when the program has been quiet for a moment, and marked in the output. */
const DRIVER = `
import fcntl, os, pty, re, select, signal, struct, sys, termios
def resize(columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ${ROWS}, columns, 0, 0))
    sys.stdout.buffer.write(b"\\x00%d\\x00" % columns)
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
resize(80)
wanted, tail = None, b""
while True:
    ready = select.select([terminal], [], [], 0.1)[0]
    if not ready:
        if wanted:
            resize(wanted)
            wanted = None
        sys.stdout.buffer.flush()
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    tail = (tail + data)[-200000:]
    asked = re.findall(rb"please resize to (\\d+)\\r", tail)
    if asked:
        wanted, tail = int(asked[-1]), b""
sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`

export interface TerminalRun {
  readonly exitCode: number | null
  /** All lines that are on the screen or have scrolled off it. */
  readonly lines: readonly string[]
  /** Columns, one after the other. */
  readonly sizes: readonly number[]
}

export async function runInTerminal(words: readonly string[]): Promise<TerminalRun> {
  const child = spawn('python3', ['-c', DRIVER, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm-256color' },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', chunk => chunks.push(chunk))
  const exitCode = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { exitCode, ...replay(Buffer.concat(chunks).toString('utf8')) }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this file is about
const TOKEN = /\x00(\d+)\x00|\x1b\[(\d+)A|(\x1b\[0?J)|\r\n|\x1b\[[\d;]*m|[^\x00\x1b\r]+|[\s\S]/g

function replay(text: string): Pick<TerminalRun, 'lines' | 'sizes'> {
  const lines: string[] = ['']
  const sizes: number[] = []
  let columns = 80
  const rowsOf = (line: string) => Math.max(1, Math.ceil(widthOf(line) / columns))
  for (const [token, size, up, erase] of text.matchAll(TOKEN)) {
    if (size !== undefined) {
      columns = Number(size)
      sizes.push(columns)
    } else if (up !== undefined) moveUp(Number(up))
    else if (erase !== undefined) lines[lines.length - 1] = ''
    else if (token === '\r\n') lines.push('')
    else if (token.startsWith('\x1b[')) continue
    else {
      assert.ok(!token.startsWith('\x1b') && token !== '\r', `unknown control: ${JSON.stringify(token)}`)
      lines[lines.length - 1] += token
    }
  }
  return { lines, sizes }

  /** What was there is erased right after. */
  function moveUp(count: number): void {
    assert.equal(lines.at(-1), '', 'the cursor is at the beginning of a line')
    assert.ok(count < ROWS, `${count} rows up is above the top of the screen`)
    for (let left = count; left > 0; ) {
      lines.pop()
      left -= rowsOf(lines.at(-1) ?? '')
      assert.ok(left >= 0, `the cursor lands in the middle of a line: ${lines.at(-1)}`)
    }
  }
}
