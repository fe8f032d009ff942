// The metadata service of one machine of a lab, as a process inside the machine's network; there it also hands the emulators'
// ports through. Its only argument is a plan in JSON; commands come as JSON lines on stdin; the first line that it prints is
// the environment by which a machine without a network of its own finds it.
import { createInterface } from 'node:readline'
import { startImds } from '../imds-fake.ts'
import { forward, METADATA_ADDRESS } from './network.ts'

interface Plan {
  readonly cloud: 'aws'
  readonly options: Parameters<typeof startImds>[0]
  readonly isolated: boolean
  readonly forwards: readonly number[]
  readonly hostAddress?: string
}

type Command = { readonly do: 'interrupt'; readonly inSeconds?: number } | { readonly do: 'rebalance' }

const plan: Plan = JSON.parse(process.argv[2] ?? '')
for (const port of plan.forwards) {
  await forward({ host: '127.0.0.1', port }, { host: plan.hostAddress ?? '', port })
}
const place = plan.isolated ? { host: METADATA_ADDRESS, port: 80 } : {}
const imds = await startImds({ ...plan.options, ...place })
console.log(JSON.stringify({ AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.endpoint }))

for await (const line of createInterface({ input: process.stdin })) {
  const command: Command = JSON.parse(line)
  if (command.do === 'interrupt') {
    imds.interrupt(command.inSeconds === undefined ? {} : { inSeconds: command.inSeconds })
  } else imds.recommendRebalance()
}
process.exit(0) // whoever started us is gone
