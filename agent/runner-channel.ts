// The runner's end of the two sockets to its agent: lines in, lines out. Reads when the event loop does or when asked to look;
// writes synchronously, so that nothing answered is lost when the process exits in the next statement.
import { readSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { codeOf } from '../core/errors.ts'
import { openBufferedChannel } from './buffered-channel.ts'
import type { TaskChannel } from './task-loop.ts'

export function openRunnerChannel(
  { input, output }: { readonly input: number; readonly output: number },
  onLine: (line: string) => void,
): TaskChannel {
  const decoder = new StringDecoder('utf8')
  let rest = ''

  const feed = (chunk: Buffer) => {
    const text = rest === '' ? decoder.write(chunk) : rest + decoder.write(chunk)
    let start = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      onLine(text.slice(start, end))
      start = end + 1
    }
    rest = start === 0 ? text : text.slice(start)
  }

  const buffer = Buffer.allocUnsafe(4096)
  const { channel, linesRead } = openBufferedChannel({
    write: text => writeFully(output, Buffer.from(text)),
    readNow() {
      try {
        const count = readSync(input, buffer)
        if (count === 0) process.exit(0)
        feed(buffer.subarray(0, count))
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') throw error
      }
    },
  })

  const socket = new Socket({ fd: input, readable: true, writable: false })
  socket.on('data', (chunk: Buffer) => {
    feed(chunk)
    linesRead()
  })
  // The agent is gone or has done with us: whatever a task still does in the background must not outlive it.
  socket.on('end', () => process.exit(0))
  socket.on('error', () => process.exit(0))
  return channel
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
