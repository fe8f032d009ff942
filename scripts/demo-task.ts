// The demo's task: adds two numbers, takes a few milliseconds over it, and now and then fails at the first attempt.

const WORK_MS = 5
const FAILS_FIRST = 1000 // every so manieth task

interface Attempt {
  readonly attempt: number
}

export default async function add(
  taskId: string,
  { num1, num2 }: { num1: number; num2: number },
  { attempt }: Attempt,
) {
  await new Promise(resolve => setTimeout(resolve, WORK_MS))
  if (attempt === 1 && Number(taskId.slice(-6)) % FAILS_FIRST === 0) throw new Error('a fault that is gone next time')
  return num1 + num2
}
