// A thread in the place of a task process. It can be killed in the middle of an endless loop, and its exit is its own; what
// it shares with the others is the memory of the process, so a crash of the process is a crash of all.
import { constants } from 'node:os'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { codeOf } from '../../core/errors.ts'
import type { StartTaskProcess } from '../task-process.ts'
import type { ThreadPlace } from './place.ts'
import { END } from './port-channel.ts'

export interface ThreadOptions {
  /** Script or module that opens a place. */
  readonly file: string
  readonly args: readonly string[]
  readonly workerNumber: number
  /** Of its heap; undefined = no limit of its own. */
  readonly maxMemoryGb: number | undefined
}

const END_TO_KILL_MS = 1000

export function threadStarter({ file, args, workerNumber, maxMemoryGb }: ThreadOptions): StartTaskProcess {
  return (_program, _mark, _undertaker, events, log) => {
    const { port1: port, port2: cloudTasksPort } = new MessageChannel()
    const place: ThreadPlace = { cloudTasksPort, workerNumber, log: log.descriptor }
    const thread = new Worker(file, {
      argv: [...args],
      workerData: place,
      transferList: [cloudTasksPort],
      ...(maxMemoryGb === undefined ? undefined : { resourceLimits: { maxOldGenerationSizeMb: maxMemoryGb * 1024 } }),
    })
    let over = false
    let heapFull = false
    const read = (text: unknown) => {
      if (!over && typeof text === 'string') events.lines(text.trimEnd().split('\n'))
    }
    port.on('message', read)
    thread.on('error', (error: unknown) => {
      heapFull = codeOf(error) === 'ERR_WORKER_OUT_OF_MEMORY'
      if (!heapFull) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    })
    thread.on('exit', exitCode => {
      // What it said before it ended is in the port, but may not have been read yet.
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        read(next.message)
      port.close()
      over = true
      events.ended(heapFull ? -constants.signals.SIGABRT : exitCode) // as V8 ends a process whose heap is full
    })
    const kill = () => void thread.terminate()
    return {
      pid: undefined,
      write(lines) {
        if (!over) port.postMessage(lines)
      },
      end() {
        port.postMessage(END)
        const timer = setTimeout(kill, END_TO_KILL_MS)
        thread.once('exit', () => clearTimeout(timer))
      },
      kill,
      killNow: kill,
    }
  }
}
