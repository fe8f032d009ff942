// A VM finds out at boot what it is: the bash of its startup script, run against a metadata service.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { AWS_BOOT_FACTS } from '../../../infra/aws/boot-facts.ts'
import { launchTags } from '../../../infra/aws/vm-tags.ts'
import type { LaunchPlan, Offer } from '../../../infra/provider.ts'
import { type ImdsOptions, startImds } from '../../support/imds-fake.ts'

const OFFER: Offer = {
  instanceType: 'c5.large',
  vcpuCount: 2,
  memoryGib: 4,
  architecture: 'X86_64',
  cpuFamily: undefined,
  cpuRank: 0,
  localSsdGib: 0,
  spotSupported: true,
  zone: 'us-east-1a',
  bootDiskType: 'gp3',
  priceUsdPerHour: 0.0416,
}
const PLAN: LaunchPlan = {
  token: 'token-1',
  vmCount: 1,
  spot: true,
  paidUntilSeconds: 1_790_000_000,
  choices: [
    { offer: { ...OFFER, zone: 'us-east-1b', priceUsdPerHour: 0.05 }, bootDiskGib: 20, tasksPerVm: 2 },
    { offer: OFFER, bootDiskGib: 12.5, tasksPerVm: 1 },
    { offer: { ...OFFER, instanceType: 'm5.xlarge' }, bootDiskGib: 20, tasksPerVm: 4 },
  ],
}
const VARIABLES = ['type', 'vcpus', 'memory_gb', 'ssd_gb', 'disk_gb', 'spot', 'price', 'tasks', 'paid_until'] as const
const LIMIT_MS = 30_000

describe('aws: facts at boot', { timeout: LIMIT_MS, concurrency: true }, () => {
  it('are those of the choice that the VM was started as', async context => {
    const { facts } = await boot(context, { tags: tagsOf(PLAN) })
    assert.deepEqual(facts, {
      type: 'c5.large',
      vcpus: '2',
      memory_gb: '4.0',
      ssd_gb: '0',
      disk_gb: '13',
      spot: 'True',
      price: '0.0416',
      tasks: '1',
      paid_until: '1790000000',
    })
  })

  it('know an on-demand VM and no limit of money', async context => {
    const { paidUntilSeconds: _, ...plan } = PLAN
    const { facts } = await boot(context, { spot: false, tags: tagsOf(plan) })
    assert.deepEqual([facts.spot, facts.paid_until, facts.price], ['False', '', '0.0416'])
  })

  it('are those of the machine where the tags do not say', async context => {
    const { facts } = await boot(context, {})
    assert.equal(facts.type, 'c5.large')
    assert.equal(facts.vcpus, String(availableParallelism()))
    assert.equal(facts.tasks, facts.vcpus)
    assert.match(facts.memory_gb ?? '', /^[0-9]+\.[0-9]$/)
    assert.match(facts.disk_gb ?? '', /^[0-9]+$/)
    assert.deepEqual([facts.ssd_gb, facts.price, facts.paid_until], ['0', '0.0', ''])
  })

  it('wait for a metadata service that is not up yet', async context => {
    const { facts } = await boot(context, { tags: tagsOf(PLAN) }, { failCount: 3 })
    assert.equal(facts.price, '0.0416')
  })

  it('get a new token when the service has forgotten theirs', async context => {
    const { facts, requests } = await boot(context, { tags: tagsOf(PLAN) }, { forgetTokens: true })
    assert.equal(facts.price, '0.0416')
    assert.equal(requests.filter(request => request.startsWith('PUT')).length, 2)
  })

  it('take no limit of money that is no number', async context => {
    const { facts } = await boot(context, { tags: { 'cloud-tasks:paid-until': '$(touch /tmp/x)' } })
    assert.equal(facts.paid_until, '')
  })

  it('leave nothing behind but themselves', async context => {
    const { others } = await boot(context, { tags: tagsOf(PLAN) })
    assert.deepEqual(others, [])
  })

  it('fit into user data many times', () => {
    assert.ok(Buffer.byteLength(AWS_BOOT_FACTS) < 3000)
  })
})

interface Boot {
  readonly facts: Readonly<Record<string, string>>
  /** Names in `vm_…` that are no facts. */
  readonly others: readonly string[]
  readonly requests: readonly string[]
}

/** With the strictest options that a user's script may set. */
async function boot(
  context: TestContext,
  options: ImdsOptions,
  { failCount = 0, forgetTokens = false } = {},
): Promise<Boot> {
  const imds = await startImds(options)
  context.after(() => imds.close())
  imds.fail(failCount)
  if (forgetTokens) {
    const timer = setInterval(() => {
      if (imds.requests.length < 2) return
      imds.forgetTokens()
      clearInterval(timer)
    }, 1)
    context.after(() => clearInterval(timer))
  }
  const print = VARIABLES.map(name => `printf '%s\\n' "$vm_${name}"`).join('\n')
  const script = `${AWS_BOOT_FACTS}\n${print}\ncompgen -A variable -A function vm_ || true\n`
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    env: { PATH: process.env.PATH, AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.endpoint },
  })
  const lines = stdout.trimEnd().split('\n')
  const facts = Object.fromEntries(VARIABLES.map((name, index) => [name, lines[index] ?? '']))
  const known: readonly string[] = VARIABLES.map(name => `vm_${name}`)
  const others = lines.slice(VARIABLES.length).filter(name => !known.includes(name))
  return { facts, others, requests: imds.requests }
}

function tagsOf(plan: LaunchPlan): Record<string, string> {
  return Object.fromEntries(launchTags('job-1', plan).map(({ Key = '', Value = '' }) => [Key, Value]))
}
