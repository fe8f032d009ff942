// Counts the primes below a number. Any function will do: it needs nothing from Cloud Tasks.
export default function processTask(_taskId, { below }, worker) {
  let { number, count } = worker.checkpoint ?? { number: 2, count: 0 } // where an interrupted attempt has left off
  for (; number < below; number++) {
    if (isPrime(number)) count++
    if (number % 10_000 === 0) {
      worker.progress(number / below)
      worker.saveCheckpoint({ number: number + 1, count })
    }
  }
  return { below, primes: count }
}

function isPrime(number) {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
  return true
}
