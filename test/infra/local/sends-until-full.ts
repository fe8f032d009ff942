// A program: sends batches of 5000 until one fails, prints how many were sent, how many of the last were not, and why.
import { openProvider } from '../../../infra/local/index.ts'
import { SendError } from '../../../infra/provider.ts'

const [root = '', name = ''] = process.argv.slice(2)
const queue = openProvider({ local: { root }, env: {} }).openQueue(name, { leaseSeconds: 60 })
const batch = Array.from({ length: 5000 }, (_, index) => ({ body: `${index}`.padEnd(100) }))
for (let sent = 0; ; sent += batch.length) {
  try {
    await queue.send(batch)
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    console.log([sent, error.unsent.length, error.message].join('\t'))
    break
  }
}
