// What the tasks of queue.ts call. A module of its own, because threads and processes load it too.

export function countPrimes(below: number): number {
  if (below < 0) throw new RangeError('there is nothing below zero')
  const composite = new Uint8Array(below)
  let count = 0
  for (let n = 2; n < below; n++) {
    if (composite[n]) continue
    count++
    for (let multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1
  }
  return count
}
