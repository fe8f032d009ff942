// The end of a task thread's channel that is in the thread: text over a message port, which can be read without waiting too.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { openBufferedChannel } from '../buffered-channel.ts'
import type { TaskChannel } from '../task-loop.ts'

/** In place of text: the thread is to end. */
export const END = null

export function openPortChannel(port: MessagePort, onLine: (line: string) => void): TaskChannel {
  const feed = (message: unknown) => {
    if (typeof message !== 'string') process.exit(0)
    for (const line of message.trimEnd().split('\n')) onLine(line)
  }
  const { channel, linesRead } = openBufferedChannel({
    write: text => port.postMessage(text),
    readNow() {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        feed(next.message)
    },
  })
  port.on('message', (message: unknown) => {
    feed(message)
    linesRead()
  })
  return channel
}
