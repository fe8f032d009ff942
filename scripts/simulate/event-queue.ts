// What will happen in the simulated world, soonest first: a binary heap.

export interface Timed {
  readonly atMs: number
}

export class EventQueue<Event extends Timed> {
  readonly #heap: Event[] = []

  get nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || parent.atMs <= event.atMs) break
      heap[at] = parent
      at = above
    }
    heap[at] = event
  }

  pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      let child = heap[below]
      if (child === undefined) break
      const right = heap[below + 1]
      if (right !== undefined && right.atMs < child.atMs) {
        child = right
        below += 1
      }
      if (child.atMs >= last.atMs) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}
