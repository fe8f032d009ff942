// The n-th task: two numbers that follow from n alone, so that anybody can check the sums without the task file.

export interface AdditionTask {
  readonly task_id: string
  readonly data: { readonly num1: number; readonly num2: number }
}

export function additionTask(number: number): AdditionTask {
  return {
    task_id: `addition-task-${String(number).padStart(6, '0')}`,
    data: { num1: scramble(number), num2: scramble(number + 0x9e3779b9) },
  }
}

/** Spreads neighbouring numbers over 0 … 999,999 (the finaliser of MurmurHash3). */
function scramble(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return ((bits ^ (bits >>> 16)) >>> 0) % 1_000_000
}
