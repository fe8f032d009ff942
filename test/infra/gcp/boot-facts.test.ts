// A VM finds out at boot what it is: the bash of its startup script, run against a metadata server.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { GCP_BOOT_FACTS } from '../../../infra/gcp/boot-facts.ts'
import { OFFERS_ATTRIBUTE, PAID_UNTIL_ATTRIBUTE, renderOffers } from '../../../infra/gcp/vm-labels.ts'
import { type GceMetadataOptions, startGceMetadata } from '../../support/gce-metadata-fake.ts'
import { choice } from './gce-pool.ts'

const OFFERS = renderOffers([
  choice({ zone: 'us-central1-b', priceUsdPerHour: 0.05 }),
  choice({ instanceType: 'n2-standard-20' }),
  choice({}, { bootDiskGib: 12.5, tasksPerVm: 1 }),
  choice({ instanceType: 'n2-standard-4' }),
])
const ATTRIBUTES = { [OFFERS_ATTRIBUTE]: OFFERS, [PAID_UNTIL_ATTRIBUTE]: '1790000000' }
const VARIABLES = ['type', 'vcpus', 'memory_gb', 'ssd_gb', 'disk_gb', 'spot', 'price', 'tasks', 'paid_until'] as const
const LIMIT_MS = 30_000

describe('gcp: facts at boot', { timeout: LIMIT_MS, concurrency: true }, () => {
  it('are those of the choice that the VM was started as', async context => {
    const { facts } = await boot(context, { attributes: ATTRIBUTES })
    assert.deepEqual(facts, {
      type: 'n2-standard-2',
      vcpus: '2',
      memory_gb: '8.0',
      ssd_gb: '0',
      disk_gb: '13',
      spot: 'True',
      price: '0.0233',
      tasks: '1',
      paid_until: '1790000000',
    })
  })

  it('know an on-demand VM and no limit of money', async context => {
    const { facts } = await boot(context, { spot: false, attributes: { [OFFERS_ATTRIBUTE]: OFFERS } })
    assert.deepEqual([facts.spot, facts.paid_until, facts.price], ['False', '', '0.0233'])
  })

  it('are those of the machine where the metadata do not say', async context => {
    const { facts } = await boot(context, { machineType: 'e2-medium', attributes: ATTRIBUTES })
    assert.equal(facts.type, 'e2-medium')
    assert.equal(facts.vcpus, String(availableParallelism()))
    assert.equal(facts.tasks, facts.vcpus)
    assert.match(facts.memory_gb ?? '', /^[0-9]+\.[0-9]$/)
    assert.match(facts.disk_gb ?? '', /^[0-9]+$/)
    assert.deepEqual([facts.ssd_gb, facts.price], ['0', '0.0'])
  })

  it('wait for a metadata server that is not up yet', async context => {
    const { facts } = await boot(context, { attributes: ATTRIBUTES }, { failCount: 3 })
    assert.equal(facts.price, '0.0233')
  })

  it('take no limit of money that is no number', async context => {
    const { facts } = await boot(context, { attributes: { [PAID_UNTIL_ATTRIBUTE]: '$(touch /tmp/x)' } })
    assert.equal(facts.paid_until, '')
  })

  it('leave nothing behind but themselves', async context => {
    const { others } = await boot(context, { attributes: ATTRIBUTES })
    assert.deepEqual(others, [])
  })
})

interface Boot {
  readonly facts: Readonly<Record<string, string>>
  /** Names in `vm_…` that are no facts. */
  readonly others: readonly string[]
}

/** With the strictest options that a user's script may set. */
async function boot(context: TestContext, options: GceMetadataOptions, { failCount = 0 } = {}): Promise<Boot> {
  const metadata = await startGceMetadata(options)
  context.after(() => metadata.close())
  metadata.fail(failCount)
  const print = VARIABLES.map(name => `printf '%s\\n' "$vm_${name}"`).join('\n')
  const script = `${GCP_BOOT_FACTS}\n${print}\ncompgen -A variable -A function vm_ || true\n`
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    env: { PATH: process.env.PATH, GCE_METADATA_HOST: metadata.address },
  })
  const lines = stdout.trimEnd().split('\n')
  const facts = Object.fromEntries(VARIABLES.map((name, index) => [name, lines[index] ?? '']))
  const known: readonly string[] = VARIABLES.map(name => `vm_${name}`)
  const others = lines.slice(VARIABLES.length).filter(name => !known.includes(name))
  return { facts, others }
}
