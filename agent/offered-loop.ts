// A task module may be a script that starts a Worker of its own when it is loaded: then that worker takes the runner's loop.
// Kept at the global object, because the script may have a copy of this package of its own.
import type { TaskLoop } from './task-loop.ts'

const KEY = Symbol.for('cloud-tasks.offered-loop')

interface Offer {
  loop: TaskLoop | undefined
}

export function offerLoop(loop: TaskLoop): void {
  Object.defineProperty(globalThis, KEY, { value: { loop } satisfies Offer })
}

export function loopIsOffered(): boolean {
  return offer()?.loop !== undefined
}

/** Only the first one who asks gets it. */
export function takeLoop(): TaskLoop | undefined {
  const offered = offer()
  const loop = offered?.loop
  if (offered !== undefined) offered.loop = undefined
  return loop
}

function offer(): Offer | undefined {
  return (globalThis as { readonly [KEY]?: Offer })[KEY] // only `offerLoop` sets it
}
