// The program itself in the place of a task process: for tasks that wait more than they work, and for tests. Tasks that
// await run beside each other. Nothing can be killed here: of a task that runs too long the answer is ignored, a task that
// never awaits stops everything, and one that exits ends the program; its message comes back when its lease ends.
import { openTaskLoop, type TaskChannel, type TaskHandler } from '../task-loop.ts'
import type { StartTaskProcess } from '../task-process.ts'

const FLUSH_COUNT = 500 // answers at a time

export function inlineStarter(handler: TaskHandler): StartTaskProcess {
  return (_program, _mark, _undertaker, events) => {
    let over = false
    let out: string[] = []
    let delivering = false
    let onLine: (line: string) => void = () => {}
    let linesRead: () => void = () => {}

    // Never in the same turn: who gives tasks must not be answered before it has given them.
    const deliverSoon = () => {
      if (delivering) return
      delivering = true
      setImmediate(() => {
        delivering = false
        const lines = out
        out = []
        if (!over && lines.length > 0) events.lines(lines)
      })
    }
    const channel: TaskChannel = {
      write: line => void out.push(line),
      flush: deliverSoon,
      flushIfOld() {
        if (out.length > FLUSH_COUNT) deliverSoon()
      },
      flushSoon: deliverSoon,
      poll: () => true, // what is said here is heard in the same program: nothing waits to be read
      onLines(callback) {
        linesRead = callback
      },
    }
    const loop = openTaskLoop(hear => {
      onLine = hear
      return channel
    })
    loop.start(handler)

    const stop = () => {
      if (over) return
      over = true
      loop.close()
      setImmediate(() => events.ended(undefined))
    }
    return {
      pid: undefined,
      write(lines) {
        const come = lines.trimEnd().split('\n')
        // A word of the agent is heard at once; tasks begin when everybody has had a turn.
        for (const line of come) if (line.startsWith('{"control":')) onLine(line)
        setImmediate(() => {
          if (over) return
          for (const line of come) if (!line.startsWith('{"control":')) onLine(line)
          linesRead()
        })
      },
      end: stop,
      kill: stop,
      killNow: stop,
    }
  }
}
