// The end of a task thread's channel that is in the thread: text over a message port, which can be read without waiting too.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { TaskChannel } from '../task-loop.ts'

/** In place of text: the thread is to end. */
export const END = null

const FLUSH_AFTER_MS = 1 // an answer waits at most so long for company
const FLUSH_CHARS = 32_768
const POLL_EVERY_MS = 20

export function openPortChannel(port: MessagePort, onLine: (line: string) => void): TaskChannel {
  let out = ''
  let oldestMs = 0
  let polledMs = 0
  let flushPending = false
  let linesRead: () => void = () => {}

  const feed = (message: unknown) => {
    if (typeof message !== 'string') process.exit(0)
    for (const line of message.trimEnd().split('\n')) onLine(line)
  }
  port.on('message', (message: unknown) => {
    feed(message)
    linesRead()
  })

  return {
    write(line) {
      if (out === '') oldestMs = performance.now()
      out += line
      out += '\n'
    },
    flush() {
      if (out === '') return
      const text = out
      out = ''
      port.postMessage(text)
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
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        feed(next.message)
      return true
    },
    onLines(callback) {
      linesRead = callback
    },
  }
}
