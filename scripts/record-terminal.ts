// Films a command in a real terminal: `node scripts/record-terminal.ts --out docs/demo.svg -- npm run demo`
// Needs python3, whose standard library can make a pseudo terminal; Node's cannot.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { parseArgs } from 'node:util'
import { Screen } from './record-terminal-screen.ts'
import { type Frame, renderTerminal } from './record-terminal-svg.ts'

const FRAME_SECONDS = 0.5 // a calm film; a progress display redraws more often than anybody reads
const REST_SECONDS = 8

const PSEUDO_TERMINAL = `
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(sys.argv[2]), int(sys.argv[1]), 0, 0))
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        data = b""
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    title: { type: 'string' },
    columns: { type: 'string', default: '100' },
    rows: { type: 'string', default: '40' },
  },
})
if (values.out === undefined || positionals.length === 0) {
  console.error('Usage: node scripts/record-terminal.ts --out FILE.svg [--columns 100] [--title TEXT] -- COMMAND…')
  process.exit(2)
}

const columns = Number(values.columns)
const title = values.title ?? positionals.join(' ')
const { frames, exitCode } = await film(positionals)
writeFileSync(values.out, renderTerminal(frames, { title, columns, restSeconds: REST_SECONDS }))
console.log(`\n${values.out}: ${frames.length} frames`)
process.exitCode = exitCode

async function film(command: readonly string[]): Promise<{ frames: readonly Frame[]; exitCode: number }> {
  const screen = new Screen({ columns })
  screen.write(`\x1b[92m$\x1b[0m \x1b[1m${title}\x1b[0m\r\n\n`)
  const frames: Frame[] = [{ atSeconds: 0, rows: screen.rows() }]
  const startedAtMs = Date.now()
  const child = spawn('python3', ['-c', PSEUDO_TERMINAL, values.columns, values.rows, ...command], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm-256color', COLUMNS: values.columns },
  })
  const decoder = new StringDecoder('utf8')
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk)
    const atSeconds = (Date.now() - startedAtMs) / 1000
    const last = frames.at(-1)?.atSeconds ?? 0
    // What was on the screen until now is a frame if it stood long enough to be seen.
    if (atSeconds - last >= FRAME_SECONDS) frames.push({ atSeconds, rows: screen.rows() })
    screen.write(decoder.write(chunk))
  }
  const exitCode =
    child.exitCode ?? (await new Promise<number>(resolve => child.on('close', code => resolve(code ?? 1))))
  frames.push({ atSeconds: (Date.now() - startedAtMs) / 1000, rows: screen.rows() })
  return { frames, exitCode }
}
