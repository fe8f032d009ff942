// The metadata service of one machine of a lab, as a process inside the machine's network; there it also hands the emulators'
// ports through. Its only argument is a plan in JSON; commands come as JSON lines on stdin; the first line that it prints is
// the environment by which a machine without a network of its own finds it.
import { createInterface } from 'node:readline'
import { type GceMetadataOptions, startGceMetadata } from '../gce-metadata-fake.ts'
import { type ImdsOptions, startImds } from '../imds-fake.ts'
import { forward, METADATA_ADDRESS } from './network.ts'

type Plan = (
  | { readonly cloud: 'aws'; readonly options: ImdsOptions }
  | { readonly cloud: 'gcp'; readonly options: GceMetadataOptions }
) & {
  readonly isolated: boolean
  readonly forwards: readonly number[]
  readonly hostAddress?: string
}

type Command =
  | { readonly do: 'interrupt'; readonly inSeconds?: number }
  /** Google gives no time, and no earlier sign. */
  | { readonly do: 'rebalance' }

interface Service {
  /** By which a machine without a network of its own finds it. */
  readonly environment: Readonly<Record<string, string>>
  obey(command: Command): void
}

const plan: Plan = JSON.parse(process.argv[2] ?? '')
for (const port of plan.forwards) {
  await forward({ host: '127.0.0.1', port }, { host: plan.hostAddress ?? '', port })
}
const service = await serve()
console.log(JSON.stringify(service.environment))
for await (const line of createInterface({ input: process.stdin })) service.obey(JSON.parse(line))
process.exit(0) // whoever started us is gone

async function serve(): Promise<Service> {
  const place = plan.isolated ? { host: METADATA_ADDRESS, port: 80 } : {}
  if (plan.cloud === 'gcp') {
    const metadata = await startGceMetadata({ ...plan.options, ...place })
    return {
      environment: { GCE_METADATA_HOST: metadata.address },
      obey: command => void (command.do === 'interrupt' && metadata.preempt()),
    }
  }
  const imds = await startImds({ ...plan.options, ...place })
  return {
    environment: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.endpoint },
    obey(command) {
      if (command.do === 'rebalance') imds.recommendRebalance()
      else imds.interrupt(command.inSeconds === undefined ? {} : { inSeconds: command.inSeconds })
    },
  }
}
