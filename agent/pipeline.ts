// The tasks that a process was sent and has not answered, in their order, and how many of them it should have: enough that
// it never waits for the agent, and not so many that much waits behind a task that takes longer than the others.
import type { HeldTask } from './held-task.ts'

const PIPELINE_SECONDS = 0.01 // of work in the process: longer than the agent is ever busy with something else
const MAX_DEPTH = 500 // more would only fill the memory: a task takes at least some microseconds
const FORGET = 0.9 // of the slowest recent batch, with every batch: one slow moment does not throttle for long
const COMPACT_FROM = 4096 // answered tasks at the front

export interface Pipeline {
  count(): number
  /** The one the process is at. */
  first(): HeldTask | undefined
  push(tasks: readonly HeldTask[]): void
  /** The first one is answered. */
  shift(): void
  takeAll(): readonly HeldTask[]
  /** All but the one the process is at. */
  takeUnstarted(): readonly HeldTask[]
  /** Takes these from the end; none if they are not what is at the end: an answer that came in between has the last word. */
  takeBack(ids: readonly unknown[]): readonly HeldTask[]
  /** How many a process should have. */
  depth(): number
  /** Average seconds of the tasks of one batch of answers. */
  learn(seconds: number): void
}

export function openPipeline({ leastDepth }: { readonly leastDepth: number }): Pipeline {
  let tasks: HeldTask[] = []
  let at = 0
  let depth = leastDepth
  let slowestSeconds = 0
  return {
    count: () => tasks.length - at,
    first: () => tasks[at],
    push(more) {
      if (at === tasks.length || at > COMPACT_FROM) {
        tasks = tasks.slice(at)
        at = 0
      }
      for (const task of more) tasks.push(task)
    },
    shift() {
      at++
    },
    takeAll: () => tasks.splice(at),
    takeUnstarted: () => tasks.splice(at + 1),
    takeBack(ids) {
      const from = tasks.length - ids.length
      return from < at || ids.some((id, i) => tasks[from + i]?.taskId !== id) ? [] : tasks.splice(from)
    },
    depth: () => depth,
    learn(seconds) {
      slowestSeconds = Math.max(seconds, slowestSeconds * FORGET)
      depth = Math.max(leastDepth, Math.min(MAX_DEPTH, Math.floor(PIPELINE_SECONDS / Math.max(slowestSeconds, 1e-6))))
    },
  }
}
