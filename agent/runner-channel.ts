// The runner's end of the two sockets to its agent: lines in, lines out. Reads when the event loop does or when asked to look;
// writes synchronously, so that nothing answered is lost when the process exits in the next statement.
import { readSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { codeOf } from '../core/errors.ts'
import type { TaskChannel } from './task-loop.ts'

const FLUSH_AFTER_MS = 1 // an answer waits at most so long for company
const FLUSH_CHARS = 32_768 // well below a socket buffer
const POLL_EVERY_MS = 20

export function openRunnerChannel(
  { input, output }: { readonly input: number; readonly output: number },
  onLine: (line: string) => void,
): TaskChannel {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let out = ''
  let oldestMs = 0
  let polledMs = 0
  let flushPending = false
  let linesRead: () => void = () => {}

  const feed = (chunk: Buffer) => {
    const text = rest === '' ? decoder.write(chunk) : rest + decoder.write(chunk)
    let start = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      onLine(text.slice(start, end))
      start = end + 1
    }
    rest = start === 0 ? text : text.slice(start)
  }

  const socket = new Socket({ fd: input, readable: true, writable: false })
  socket.on('data', (chunk: Buffer) => {
    feed(chunk)
    linesRead()
  })
  // The agent is gone or has done with us: whatever a task still does in the background must not outlive it.
  socket.on('end', () => process.exit(0))
  socket.on('error', () => process.exit(0))

  const buffer = Buffer.allocUnsafe(4096)
  return {
    write(line) {
      if (out === '') oldestMs = performance.now()
      out += line
      out += '\n'
    },
    flush() {
      if (out === '') return
      const bytes = Buffer.from(out)
      out = ''
      writeFully(output, bytes)
    },
    flushIfOld(nowMs) {
      if (out.length > FLUSH_CHARS || nowMs - oldestMs > FLUSH_AFTER_MS) this.flush()
    },
    flushSoon() {
      if (out === '' || flushPending) return
      flushPending = true
      setImmediate(() => {
        flushPending = false
        this.flush()
      })
    },
    poll() {
      const nowMs = performance.now()
      if (nowMs - polledMs < POLL_EVERY_MS) return true
      polledMs = nowMs
      try {
        const count = readSync(input, buffer)
        if (count === 0) process.exit(0)
        feed(buffer.subarray(0, count))
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') throw error
      }
      return true
    },
    onLines(callback) {
      linesRead = callback
    },
  }
}

/** Waits where the socket is full: the agent will read. */
function writeFully(descriptor: number, bytes: Buffer): void {
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset)
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'EPIPE' && code !== 'ECONNRESET') throw error // the agent is gone: the end of our input ends us too
  }
}
