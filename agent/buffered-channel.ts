// What every channel of a task loop does with its lines, whatever carries them: answers wait a moment for company, and a task
// that never awaits can look for what has come, though not too often.
import type { TaskChannel } from './task-loop.ts'

const FLUSH_AFTER_MS = 1 // an answer waits at most so long for company
const FLUSH_CHARS = 32_768 // well below a socket buffer
const POLL_EVERY_MS = 20

export interface ChannelCarrier {
  /** Writes at once, all of it. */
  write(text: string): void
  /** Reads what has arrived, without waiting. */
  readNow(): void
}

/** `linesRead`: to be called whenever lines have come by themselves. */
export function openBufferedChannel(carrier: ChannelCarrier): { channel: TaskChannel; linesRead: () => void } {
  let out = ''
  let oldestMs = 0
  let polledMs = 0
  let flushPending = false
  let onLines: () => void = () => {}

  const channel: TaskChannel = {
    write(line) {
      if (out === '') oldestMs = performance.now()
      out += line
      out += '\n'
    },
    flush() {
      if (out === '') return
      const text = out
      out = ''
      carrier.write(text)
    },
    flushIfOld(nowMs) {
      if (out.length > FLUSH_CHARS || nowMs - oldestMs > FLUSH_AFTER_MS) channel.flush()
    },
    flushSoon() {
      if (out === '' || flushPending) return
      flushPending = true
      setImmediate(() => {
        flushPending = false
        channel.flush()
      })
    },
    poll() {
      const nowMs = performance.now()
      if (nowMs - polledMs < POLL_EVERY_MS) return true
      polledMs = nowMs
      carrier.readNow()
      return true
    },
    onLines(callback) {
      onLines = callback
    },
  }
  return { channel, linesRead: () => onLines() }
}
