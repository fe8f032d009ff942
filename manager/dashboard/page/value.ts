// One value that parts of the page watch: what the server said last, or what the reader chose.

export interface Value<T> {
  readonly current: T
  set(next: T): void
  /** Called at once with what is known, then after each change. */
  watch(listener: (value: T) => void): void
}

export function makeValue<T>(initial: T): Value<T> {
  const listeners: ((value: T) => void)[] = []
  let current = initial
  return {
    get current() {
      return current
    },
    set(next) {
      if (Object.is(next, current)) return
      current = next
      for (const listener of listeners) listener(next)
    },
    watch(listener) {
      listeners.push(listener)
      listener(current)
    },
  }
}
