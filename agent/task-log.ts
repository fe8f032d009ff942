// What the tasks of one slot print. A file without a name: it costs nothing while nobody prints, `/dev/stderr` works in it,
// the text of a task that was killed is there all the same, and nothing stays behind however the agent ends.
// Positions are bytes since the slot was opened.
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SHOWN_BYTES = 256 * 1024 // at one look: a flood must not become the agent's main work
const FILE_BYTES = 1024 ** 2 // then it begins anew …
const KEPT_BYTES = 64 * 1024 // … and so much of its end is remembered; also the most that is kept of one attempt
const LEFT_OUT = '\n… (left out) …\n'

export interface TaskLog {
  /** For the stdout and stderr of a process. */
  readonly descriptor: number | 'inherit'
  /** The position now. */
  position(): number
  /** Turns a process's own position in the file into one of ours. */
  fromFile(offset: number): number
  /** Adds what a task said in another way than by printing. */
  append(text: string): void
  /** What was printed there, its beginning and its end if it is long; undefined if nothing. */
  between(from: number, to: number): string | undefined
  /** Shows on the agent's stdout what is new, and keeps the file small. */
  show(): void
  close(): void
}

export function openTaskLog(mark: string): TaskLog {
  const descriptor = openNameless(mark)
  return descriptor === undefined ? NO_LOG : logOn(descriptor)
}

function logOn(descriptor: number): TaskLog {
  let base = 0 // position of the file's first byte
  let shown = 0 // bytes of the file
  let carried: Buffer = Buffer.alloc(0) // what stood right before `base`
  let open = true
  const size = () => (open ? fstatSync(descriptor).size : shown)
  const read = (from: number, to: number): Buffer => {
    const buffer = Buffer.alloc(Math.max(0, to - from))
    return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, from))
  }
  const log: TaskLog = {
    descriptor,
    position: () => base + size(),
    fromFile: offset => base + offset,
    append(text) {
      if (!open) return
      log.show()
      writeSync(descriptor, `${text}\n`)
      shown = size() // the agent's own log has it
    },
    between(from, to) {
      const cut = from > to // somebody has opened /dev/stderr afresh: what is there is all there is
      const start = Math.max(cut ? base : from, base - carried.length)
      const bytes = (a: number, b: number) =>
        Buffer.concat([
          carried.subarray(Math.max(0, carried.length - (base - a)), Math.max(0, carried.length - (base - b))),
          read(Math.max(0, a - base), Math.max(0, b - base)),
        ])
      if (to <= start || !open) return undefined
      if (to - start <= KEPT_BYTES) return bytes(start, to).toString()
      const half = KEPT_BYTES / 2
      return `${bytes(start, start + half)}${LEFT_OUT}${bytes(to - half, to)}`
    },
    show() {
      if (!open) return
      const end = size()
      if (end < shown) shown = 0 // somebody has opened /dev/stderr afresh and cut it
      if (end > shown) {
        if (end - shown <= SHOWN_BYTES) write(read(shown, end))
        else {
          const half = SHOWN_BYTES / 2
          write(Buffer.concat([read(shown, shown + half), Buffer.from(LEFT_OUT), read(end - half, end)]))
        }
        shown = end
      }
      if (end < FILE_BYTES) return
      carried = read(end - KEPT_BYTES, end)
      base += end
      shown = 0
      ftruncateSync(descriptor) // what appends goes on at the new end
    },
    close() {
      if (!open) return
      log.show()
      open = false
      closeSync(descriptor)
    },
  }
  return log
}

/** Without a folder for temporary files, tasks print where the agent does, and nothing is kept. */
const NO_LOG: TaskLog = {
  descriptor: 'inherit',
  position: () => 0,
  fromFile: () => 0,
  append: () => {},
  between: () => undefined,
  show: () => {},
  close: () => {},
}

function openNameless(mark: string): number | undefined {
  const file = join(tmpdir(), `cloud-tasks-${mark}.log`)
  try {
    const descriptor = openSync(file, 'ax+', 0o600)
    unlinkSync(file)
    return descriptor
  } catch {
    return undefined
  }
}

function write(bytes: Buffer): void {
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {}) // nobody reads any more
  process.stdout.write(bytes)
}
