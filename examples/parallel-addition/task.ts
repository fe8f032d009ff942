// Adds two numbers: the smallest task there is.

interface Addition {
  readonly num1: number
  readonly num2: number
}

export default function addNumbers(_taskId: string, { num1, num2 }: Addition): number {
  return num1 + num2
}
