// How VMs of Compute Engine are launched: what is asked for, where, and what is said when there is no room.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../../core/clock.ts'
import type { LaunchFailure } from '../../../infra/provider.ts'
import { objectOf } from '../../support/gce-fake-bulk.ts'
import { until } from '../../support/processes.ts'
import { choice, gce, JOB, plan, poolOn, TEMPLATE } from './gce-pool.ts'

const LIMIT_MS = 60_000
const [A, B, C] = ['us-central1-a', 'us-central1-b', 'us-central1-c'] as const

describe('gcp: launching', { timeout: LIMIT_MS }, () => {
  it('makes VMs as the template of the stack says, with what the launch adds', async context => {
    const fake = await gce(context)
    const paidUntilSeconds = Math.floor(systemClock.now() / 1000) + 3600
    const { launched } = await poolOn(fake).launch(
      plan({ paidUntilSeconds, choices: [choice({}, { bootDiskGib: 31.5 })] }),
    )
    const [vm = {}] = fake.vms.list()
    assert.match(String(vm.name), /^rmscr-job-1-[a-z0-9]{25}$/)
    assert.equal(launched[0]?.id, vm.name)
    assert.deepEqual(vm.serviceAccounts, TEMPLATE.serviceAccounts)
    assert.deepEqual(objectOf(vm.tags).items, ['extra', 'rmscr-job-1'])
    const labels = objectOf(vm.labels)
    assert.deepEqual([labels.team, labels['cloud-tasks-job']], ['science', JOB])
    const items = new Map(metadataOf(vm))
    assert.equal(items.get('startup-script'), '#!/bin/bash\necho hello\n')
    assert.equal(items.get('cloud-tasks-offers'), `n2-standard-2 ${A} 2 8.0 0 32 0.0233 2`)
    assert.equal(items.get('cloud-tasks-paid-until'), String(paidUntilSeconds))
    const scheduling = objectOf(vm.scheduling)
    assert.equal(scheduling.provisioningModel, 'SPOT')
    assert.equal(scheduling.instanceTerminationAction, 'DELETE')
    const seconds = Number(objectOf(scheduling.maxRunDuration).seconds)
    assert.ok(seconds > 3500 && seconds <= 3600, `${seconds} s`)
    const params = bootDiskOf(vm)
    assert.deepEqual([params.diskSizeGb, params.diskType], ['32', 'pd-balanced'])
  })

  it('makes on-demand VMs that are deleted, not stopped, when their money has run out', async context => {
    const fake = await gce(context)
    const soon = Math.floor(systemClock.now() / 1000) + 5
    const { launched } = await poolOn(fake).launch(plan({ spot: false, paidUntilSeconds: soon }))
    assert.equal(launched[0]?.spot, false)
    assert.deepEqual(objectOf(fake.vms.list()[0]?.scheduling), {
      automaticRestart: false,
      provisioningModel: 'STANDARD',
      instanceTerminationAction: 'DELETE',
      maxRunDuration: { seconds: '30' }, // the least there is
    })
  })

  it('asks once for several types in several zones, and gets the best for which there is room', async context => {
    const fake = await gce(context)
    fake.vms.setRoom(A, 'n2-standard-4', 0)
    fake.vms.setRoom(B, 'n2-standard-4', 2)
    const four = { instanceType: 'n2-standard-4', vcpuCount: 4, priceUsdPerHour: 0.04, bootDiskType: 'pd-ssd' }
    const choices = [
      choice({ ...four, zone: A }),
      choice({ ...four, zone: B }),
      choice({ zone: A }),
      choice({ zone: B }),
    ]
    const { launched, failures } = await poolOn(fake).launch(plan({ vmCount: 5, choices }))
    assert.deepEqual(failures, [])
    assert.deepEqual(
      counted(launched.map(vm => `${vm.instanceType} ${vm.zone} ${vm.bootDiskType} ${vm.priceUsdPerHour}`)),
      {
        [`n2-standard-4 ${B} pd-ssd 0.04`]: 2,
        [`n2-standard-2 ${A} pd-balanced 0.0233`]: 3,
      },
    )
    assert.equal(bulkRequests(fake.requests).length, 1)
    assert.deepEqual(counted(fake.vms.list().map(vm => String(bootDiskOf(vm).diskType))), {
      'pd-ssd': 2,
      'pd-balanced': 3,
    })
  })

  it('never uses a zone that was not asked for', async context => {
    const fake = await gce(context)
    fake.vms.setRoom(B, '*', 0)
    const { launched, failures } = await poolOn(fake).launch(plan({ choices: [choice({ zone: B })] }))
    assert.deepEqual(launched, [])
    assert.deepEqual(fake.vms.list(), [])
    assert.deepEqual(places(failures), [`capacity n2-standard-2 ${B}`])
  })

  it('goes on to the next choices when there is no room for the first, and tells of it', async context => {
    const fake = await gce(context)
    fake.vms.setRoom(A, 'c3-standard-4', 1)
    const choices = [choice({ instanceType: 'c3-standard-4', zone: A }), choice({ zone: B }), choice({ zone: C })]
    const { launched, failures } = await poolOn(fake).launch(plan({ vmCount: 3, choices }))
    assert.deepEqual(counted(launched.map(vm => vm.instanceType)), { 'c3-standard-4': 1, 'n2-standard-2': 2 })
    assert.deepEqual(places(failures), [`capacity c3-standard-4 ${A}`])
  })

  it('tells of every choice when there is no room in any zone', async context => {
    const fake = await gce(context)
    for (const zone of [A, B, C]) fake.vms.setRoom(zone, '*', 0)
    const choices = [A, B, C].flatMap(zone => [choice({ zone }), choice({ instanceType: 'e2-standard-2', zone })])
    const { launched, failures } = await poolOn(fake).launch(plan({ vmCount: 2, choices }))
    assert.deepEqual(launched, [])
    assert.equal(failures.length, 6)
    assert.deepEqual(new Set(failures.map(({ reason }) => reason)), new Set(['capacity']))
    for (const { zone, instanceType, message } of failures) {
      assert.match(message, /ZONE_RESOURCE_POOL_EXHAUSTED/)
      assert.ok(message.includes(zone) && message.includes(instanceType), message)
    }
  })

  it('keeps what it got when there is room for some', async context => {
    const fake = await gce(context)
    fake.vms.setRoom(A, '*', 2)
    const { launched, failures } = await poolOn(fake).launch(plan({ vmCount: 5 }))
    assert.equal(launched.length, 2)
    assert.deepEqual(places(failures), [`capacity n2-standard-2 ${A}`])
  })

  it('tells of a quota that is used up, found by the operation or at the door', async context => {
    const fake = await gce(context)
    fake.vms.setQuota('us-central1', 0)
    const byOperation = await poolOn(fake).launch(plan())
    assert.deepEqual(places(byOperation.failures), [`quota n2-standard-2 ${A}`])
    assert.match(byOperation.failures[0]?.message ?? '', /PREEMPTIBLE_CPUS/)
    fake.fail({
      path: /bulkInsert/,
      answer: { status: 403, reason: 'quotaExceeded', message: 'Quota exceeded.' },
      times: 1,
    })
    const atTheDoor = await poolOn(fake).launch(plan())
    assert.deepEqual(places(atTheDoor.failures), [`quota n2-standard-2 ${A}`])
  })

  it('asks for each type by itself when a request for several is refused, and goes on with those that are not', async context => {
    const fake = await gce(context)
    const refused = { status: 400, reason: 'invalid', message: '[pd-balanced] features are not compatible.' }
    fake.fail({ path: /bulkInsert/, answer: refused, times: 2 }) // all together, and the first alone
    const choices = [choice({ instanceType: 'c4-standard-2' }), choice()]
    const { launched, failures } = await poolOn(fake).launch(plan({ choices }))
    assert.deepEqual(
      launched.map(vm => vm.instanceType),
      ['n2-standard-2'],
    )
    assert.deepEqual(places(failures), [`other c4-standard-2 ${A}`])
    assert.match(failures[0]?.message ?? '', /not compatible/)
  })

  it('says of a zone that is not there that it is not there', async context => {
    const fake = await gce(context)
    const { failures } = await poolOn(fake).launch(plan({ choices: [choice({ zone: 'us-central1-q' })] }))
    assert.deepEqual(places(failures), ['other n2-standard-2 us-central1-q'])
    assert.match(failures[0]?.message ?? '', /The region us-central1 has no zone us-central1-q/)
  })

  it('waits for a slow operation without holding up others', async context => {
    const fake = await gce(context, { operationMs: 400 })
    const pool = poolOn(fake)
    let done = false
    const launching = pool.launch(plan()).then(report => {
      done = true
      return report
    })
    await until('the request', () => bulkRequests(fake.requests).length === 1)
    assert.equal((await poolOn(fake).list())[0]?.state, 'starting')
    assert.equal(done, false)
    assert.equal((await launching).launched[0]?.state, 'running')
  })

  it('waits for an operation only so long: what comes of it shows in the listing', async context => {
    const fake = await gce(context, { operationMs: 1000 })
    const pool = poolOn(fake, { operationMs: 50 })
    const choices = [choice(), choice({ instanceType: 'e2-standard-2', zone: B })]
    const { launched, failures } = await pool.launch(plan({ vmCount: 2, choices }))
    assert.deepEqual(
      launched.map(vm => vm.state),
      ['starting', 'starting'],
    )
    assert.deepEqual(failures, [])
    assert.equal(bulkRequests(fake.requests).length, 1) // the next choice would make twice as many
  })

  it('makes each VM once though the answer is lost, the server fails, or another manager asks again much later', async context => {
    const fake = await gce(context)
    fake.fail({ path: /bulkInsert/, answer: { status: 503 }, times: 1 })
    fake.fail({ path: /bulkInsert/, answer: 'lose', times: 1 })
    const wanted = plan({ vmCount: 3 })
    const { launched } = await poolOn(fake).launch(wanted)
    assert.equal(bulkRequests(fake.requests).length, 3)
    assert.equal(new Set(bulkRequests(fake.requests).map(request => request.split('requestId=')[1])).size, 1)
    fake.vms.forgetRequests()
    const again = await poolOn(fake).launch(wanted)
    assert.deepEqual(again.launched.map(vm => vm.id).toSorted(), launched.map(vm => vm.id).toSorted())
    assert.equal(fake.vms.list().length, 3)
  })

  it('starts 1,200 VMs in one request and lists them all', async context => {
    const fake = await gce(context)
    const pool = poolOn(fake)
    const { launched } = await pool.launch(plan({ vmCount: 1200 }))
    assert.equal(launched.length, 1200)
    assert.equal(new Set((await pool.list()).map(vm => vm.id)).size, 1200)
    assert.ok(fake.requests.filter(request => request.includes('pageToken')).length >= 4)
    await pool.terminate(launched.map(vm => vm.id))
    await until('their end', () => fake.vms.list().length === 0)
    assert.equal((await pool.list()).filter(vm => vm.endReason === 'terminated').length, 1200)
  })
})

function bulkRequests(requests: readonly string[]): readonly string[] {
  return requests.filter(request => request.includes('/bulkInsert'))
}

function places(failures: readonly LaunchFailure[]): string[] {
  return failures.map(({ reason, instanceType, zone }) => `${reason} ${instanceType} ${zone}`)
}

function counted(words: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(words, word => word)].map(([word, all]) => [word, all.length]))
}

function metadataOf(vm: Readonly<Record<string, unknown>>): [string, string][] {
  const { items } = objectOf(vm.metadata)
  return (Array.isArray(items) ? items : []).map(({ key, value }) => [String(key), String(value)])
}

function bootDiskOf({ disks }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return objectOf(objectOf(Array.isArray(disks) ? disks[0] : undefined).initializeParams)
}
