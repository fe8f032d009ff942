import { join } from 'node:path'
import { describeKind, optionsFor, type TaskKind } from '../kind-suite.ts'

const script = join(import.meta.dirname, '../../fixtures/kinds/worker.ts')

function workerKind(workerType: string, more: Partial<TaskKind> = {}): TaskKind {
  return {
    name: `a function of a Worker, ${workerType}`,
    start: (bench, situation) => bench.startScript(script, workerType, ...optionsFor(situation)),
    ...more,
  }
}

const SHARED = 'whoever kills the process kills the worker itself'
const NEVER_LOOKS_UP = 'a function that never awaits keeps the worker from everything'

describeKind(workerKind('process'))
describeKind(
  workerKind('thread', {
    lacks: { kill: SHARED, memory: 'only the heap of a thread is its own; what it allocates outside is not counted' },
  }),
)
describeKind(
  workerKind('inline', {
    keepsOutput: false,
    lacks: {
      kill: SHARED,
      exit: SHARED,
      memory: SHARED,
      'time-out': NEVER_LOOKS_UP,
      shutdown: NEVER_LOOKS_UP,
      notice: NEVER_LOOKS_UP,
      checkpoint: NEVER_LOOKS_UP,
    },
  }),
)
