// What a manager without a disk remembers and is told: its note, and the job in one variable.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { vmId } from '../../core/ids.ts'
import { packJob, unpackJob } from '../../core/packed-job.ts'
import { memorize, openDbOfVms } from '../../manager/serverless/db-of-vms.ts'
import {
  nothingRemembered,
  parseRemembered,
  type Remembered,
  renderRemembered,
} from '../../manager/serverless/remembered.ts'
import type { KnownVm } from '../../manager/serverless/vm-columns.ts'
import { SpotMarket } from '../../manager/spot-market.ts'
import { seeded } from '../../scripts/simulate/seeded-random.ts'
import { jobConfigWith } from '../support/job-config.ts'
import { choice } from './offers.ts'

const NOW = new Date('2026-11-22T12:00:00.000Z')
const MAX_NOTE_BYTES = 400_000 // of an item in DynamoDB

const random = seeded(7)
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T

/** As on EC2: random ids, launches in groups, each in its second, one type in one zone. */
function manyVms(count: number, share: { readonly ended: number }): KnownVm[] {
  return Array.from({ length: count }, (_, index) => {
    const launchedMs = NOW.getTime() - 3_600_000 + Math.floor(index / 40) * 13_000
    const ended = random() < share.ended
    return {
      id: vmId(`i-0${randomBytes(8).toString('hex')}`),
      jobId: 'job',
      state: ended ? 'terminated' : pick(['starting', 'running']),
      instanceType: pick(['c5.large', 'c6i.large', 'm5.xlarge', 'c7g.2xlarge']),
      zone: pick(['us-east-1a', 'us-east-1b', 'us-east-1c']),
      spot: true,
      vcpuCount: 4,
      priceUsdPerHour: pick([0.0412, 0.0377, 0.1201]),
      launchedAt: new Date(launchedMs),
      paidSeconds: 3000 + Math.floor(index / 40),
      ...(ended && {
        endedAt: new Date(launchedMs + Math.floor(random() * 3000) * 1000),
        endReason: pick(['preempted', 'powered off', 'terminated']),
      }),
    }
  })
}

describe('the note', () => {
  const full: Remembered = {
    ...nothingRemembered('deploy', NOW),
    stopped: { because: 'VM i-1 ended', at: NOW },
    busy: { by: 'somebody', until: NOW },
    backlog: 12,
    emptySince: NOW,
    reason: 'one VM',
    keeper: {
      begunAt: NOW,
      earlierUsd: 1.234567,
      market: {
        setbacks: { 'c5.large us-east-1a true': { failureCount: 2, until: 5 } },
        preemptionCount: 3,
        refusedSince: 4,
      },
      watch: { proven: true, since: NOW, stillborn: { count: 1, endReason: 'powered off', vmId: vmId('i-1') } },
    },
    vms: manyVms(50, { ended: 0.5 }),
    intents: [{ token: 't', plan: '{"vmCount":1}', createdAt: NOW.toISOString(), paidSeconds: 5, writtenOffUsd: 0.5 }],
  }

  it('is read as it was written', () => {
    assert.deepEqual(parseRemembered('job', renderRemembered(full)), full)
    const empty = nothingRemembered(undefined, NOW)
    assert.equal(renderRemembered(parseRemembered('job', renderRemembered(empty))), renderRemembered(empty))
  })

  it('of another version is refused with what to do', () => {
    for (const text of ['', '{}', '{"format":2}', 'null', renderRemembered(full).replace('"ids"', '"names"')]) {
      assert.throws(() => parseRemembered('job', text), /remembers of job "job" is damaged.*deploy it again/)
    }
  })

  it('has room for 10,000 VMs that run and 10,000 that ended in the last hour', t => {
    const vms = [...manyVms(10_000, { ended: 0 }), ...manyVms(10_000, { ended: 1 })]
    const begunMs = performance.now()
    const text = renderRemembered({ ...full, vms })
    const bytes = gzipSync(text, { level: 9 }).length
    assert.deepEqual(parseRemembered('job', gunzipSync(gzipSync(text)).toString()).vms, vms)
    t.diagnostic(`${bytes} bytes; written and read in ${Math.round(performance.now() - begunMs)} ms`)
    assert.ok(bytes < MAX_NOTE_BYTES, `${bytes} bytes`)
  })

  it('counts VMs that ended long ago in one sum, to the micro-dollar, and the others one by one', () => {
    const old = { endedAt: new Date(NOW.getTime() - 4_000_000), launchedAt: new Date(NOW.getTime() - 5_000_000) }
    const vms = manyVms(6, { ended: 1 }).map((vm, index) => (index < 3 ? { ...vm, ...old, priceUsdPerHour: 0.1 } : vm))
    using db = openDbOfVms({ vms, intents: [] }, { unfinishedCount: 0, now: NOW })
    const listed = vms.filter((_, index) => index === 0) // its listing could still bring it back
    const { vms: kept, earlierUsd } = memorize(db, listed, NOW)
    const recent = vms.slice(3).filter(vm => (vm.endedAt?.getTime() ?? 0) > NOW.getTime() - 3_900_000)
    assert.deepEqual(new Set(kept.map(vm => vm.id)), new Set([vms[0], ...recent].map(vm => vm?.id)))
    const each = Math.round((0.1 * 1e6 * 1_000_000) / 3_600_000) / 1e6
    assert.equal(earlierUsd.toFixed(6), (2 * each).toFixed(6))
  })
})

describe('where there was no capacity', () => {
  it('is remembered from one look to the next, and since when spot VMs are refused', () => {
    const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
    const [spot, other, onDemand] = [choice(), choice({ zone: 'z-b' }), choice({}, { spot: false })]
    const market = new SpotMarket({ afterWaitSeconds: 300 })
    const { instanceType, zone } = spot.offer
    const failure = { reason: 'capacity', instanceType, zone, message: 'none left' } as const
    market.report({ token: 't', vmCount: 1, spot: true, choices: [] }, 0, [failure], NOW)
    const next = new SpotMarket({ afterWaitSeconds: 300 }, JSON.parse(JSON.stringify(market.memory(NOW))))
    assert.deepEqual(next.usable([spot, other, onDemand], later(5)), [other])
    assert.deepEqual(next.usable([spot, other, onDemand], later(60)), [spot, other])
    assert.deepEqual(next.usable([spot, other, onDemand], later(301)), [spot, other, onDemand])
  })
})

describe('a job in one variable', () => {
  const file = {
    provider: 'aws' as const,
    aws: {
      job_id: 'job',
      region: 'eu-west-1',
      access_key: 'AKIA-SECRET',
      secret_key: 'SECRET-KEY',
      bucket: 'the-bucket',
      use_spot: true,
      subnets: ['subnet-1'],
      agent_url: 'https://example.org/agent.tar.gz',
    },
    run: {
      task: './task.ts',
      startup_script: '#!/bin/bash\necho SECRET-SCRIPT',
      environment: { TOKEN: 'SECRET-TOKEN' },
      secrets: { PASSWORD: 'arn:SECRET-ADDRESS' },
      max_total_cost: 12.5,
      cpus_per_task: 0.5,
      on_demand_fallback: { after_preemptions: 3 },
      instance_types: ['c5\\.', 'm5\\.'],
      boot_disk_types: ['gp3'],
      scaling_check_interval: 30,
    },
  }
  const config = jobConfigWith(file)
  const packed = packJob({ jobId: 'job', queueName: 'queue', config })

  it('tells a manager all that its decisions depend on', () => {
    const { jobId, queueName, config: unpacked } = unpackJob(packed)
    assert.deepEqual([jobId, queueName, unpacked.jobId, unpacked.queueName], ['job', 'queue', 'job', 'queue'])
    for (const part of ['provider', 'region', 'zone', 'pool', 'machine', 'bootDisk', 'tasks', 'watch'] as const) {
      assert.deepEqual(unpacked[part], config[part], part)
    }
    assert.equal(unpacked.boot.idleShutdownSeconds, config.boot.idleShutdownSeconds)
    assert.equal(unpacked.section.bucket, 'the-bucket')
  })

  it('holds no secret, no script and no variable of the tasks', () => {
    const text = gunzipSync(Buffer.from(packed, 'base64')).toString()
    assert.doesNotMatch(text, /SECRET|AKIA|TOKEN|PASSWORD|example\.org/)
  })

  it('is another deploy when anything that VMs do is another, and else the same', () => {
    const idOf = (parts: object, content?: string) =>
      unpackJob(
        packJob({ jobId: 'job', queueName: 'queue', config: { ...config, ...parts }, ...(content && { content }) }),
      ).deployId
    const same = unpackJob(packed).deployId
    assert.equal(idOf({}), same)
    assert.notEqual(idOf({}, 'other code'), same)
    assert.notEqual(idOf({ boot: { ...config.boot, startupScript: 'other' } }), same)
    assert.notEqual(idOf({ section: { ...config.section, max_total_cost: 20 } }), same)
  })

  it('fits into a function whose settings are many, and says which to shorten when it does not', () => {
    const many = Array.from({ length: 150 }, (_, index) => `c${index % 8}[a-z]*\\.(${index}x)?large-${index * 7919}`)
    const numbers = Object.fromEntries(
      ['min', 'max'].flatMap((side, index) =>
        ['total_memory', 'memory_per_cpu', 'memory_per_task', 'local_ssd', 'cpu', 'cpu_rank'].map((key, at) => [
          `${side}_${key}`,
          1 + at + 10 * index,
        ]),
      ),
    )
    const withTypes = (types: readonly string[]) =>
      jobConfigWith({ ...file, run: { ...file.run, ...numbers, instance_types: types } })
    const big = packJob({ jobId: 'job', queueName: 'queue', config: withTypes(many) })
    assert.ok(big.length <= 3500, `${big.length} bytes`)
    assert.deepEqual(unpackJob(big).config.machine.instanceTypes, many)
    const noise = Array.from({ length: 400 }, () => randomBytes(9).toString('hex'))
    assert.throws(
      () => packJob({ jobId: 'job', queueName: 'queue', config: withTypes(noise) }),
      /settings of job "job" take \d+ bytes, and a cloud function has room for 3500: shorten .* instance_types/,
    )
  })

  it('that is missing or damaged is refused with what to do', () => {
    assert.throws(() => unpackJob(undefined), /CLOUD_TASKS_JOB is not set: deploy the job again/)
    for (const text of [
      'x',
      packed.slice(0, 40),
      gzipSync('[]').toString('base64'),
      gzipSync('{"jobId":1}').toString('base64'),
    ]) {
      assert.throws(() => unpackJob(text), /CLOUD_TASKS_JOB is damaged, or of another version: deploy the job again/)
    }
  })
})
