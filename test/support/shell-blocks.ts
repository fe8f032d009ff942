// Reads the commands out of our own documents and runs them as a reader would, in a folder that looks like the checkout.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { killAll, processesMentioning } from './processes.ts'

export const checkout = join(import.meta.dirname, '../..')

interface Block {
  readonly language: string
  /** File name of a block that shows a file. */
  readonly title: string | undefined
  readonly text: string
}

function blocksOf(document: string): Block[] {
  const markdown = readFileSync(join(checkout, document), 'utf8')
  return [...markdown.matchAll(/^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$/gms)].map(match => ({
    language: match[1] ?? '',
    title: match[2],
    text: match[3] ?? '',
  }))
}

/** Commands of a document's shell blocks that are ours to keep right, one a line. */
export function commandsOf(document: string): string[] {
  return blocksOf(document)
    .filter(({ language }) => language === 'sh')
    .flatMap(block => block.text.split('\n'))
    .map(line => line.replace(/\s+#.*$/, '').trim())
    .filter(line => /^(cd \S+ && )?(npm|npx|node|cloud-tasks)\b/.test(line))
}

export interface CommandResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A temporary folder with the checkout's examples and packages, and the files that a document shows. */
export class ReaderFolder {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'cloud-tasks-docs-')))

  constructor(document: string) {
    for (const name of ['examples', 'node_modules']) symlinkSync(join(checkout, name), this.file(name))
    writeFileSync(this.file('package.json'), '{}') // so that npx looks here, and not further up
    for (const block of blocksOf(document))
      if (block.title !== undefined) writeFileSync(this.file(block.title), block.text)
  }

  file(name: string): string {
    return join(this.path, name)
  }

  async run(command: string, { timeoutMs = 60_000 } = {}): Promise<CommandResult> {
    const child = spawn('bash', ['-c', command], {
      cwd: this.path,
      detached: true, // its own group, so that a command that hangs ends with all it started
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NO_COLOR: '1',
        PATH: [join(checkout, 'node_modules/.bin'), process.env.PATH].join(delimiter),
      },
    })
    const timer = setTimeout(() => process.kill(-(child.pid ?? process.pid), 'SIGKILL'), timeoutMs)
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    clearTimeout(timer)
    return { exitCode, stdout, stderr }
  }

  /** Ends what still runs for the folder, removes it, and says how many processes were left. */
  remove(): number {
    const left = processesMentioning(this.path).map(({ pid }) => pid)
    killAll(left)
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    return left.length
  }
}
