// Which VMs of Compute Engine are listed, as what, and what is known of those that are gone.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { vmId } from '../../../core/ids.ts'
import { openJobDb } from '../../../manager/job-db.ts'
import { until } from '../../support/processes.ts'
import { choice, gce, JOB, plan, poolOn } from './gce-pool.ts'

const LIMIT_MS = 60_000
const ZONE = 'us-central1-a'
const PEER_SUFFIX = 'abcdefghij0123456789klmno'

describe('gcp: listing', { timeout: LIMIT_MS }, () => {
  it("lists the Python system's VMs, which have a name and a network tag and nothing else", async context => {
    const fake = await gce(context)
    const tags = { items: [`rmscr-${JOB}`] }
    const peer = {
      name: `rmscr-${JOB}-${PEER_SUFFIX}`,
      machineType: 'n2-highmem-8',
      tags,
      scheduling: { preemptible: true },
    }
    fake.vms.add(ZONE, peer)
    const [vm] = await poolOn(fake).list()
    assert.deepEqual(
      [vm?.id, vm?.jobId, vm?.instanceType, vm?.vcpuCount, vm?.spot, vm?.priceUsdPerHour],
      [peer.name, JOB, 'n2-highmem-8', 8, true, undefined],
    )
    await poolOn(fake).terminate([vmId(peer.name)])
    await until('its end', () => fake.vms.list().length === 0)
  })

  it('does not take the VMs of a job for its own whose name begins with its name', async context => {
    const fake = await gce(context, { jobIds: ['a', 'a-b'] })
    const [one, other] = [poolOn(fake, { jobId: 'a' }), poolOn(fake, { jobId: 'a-b' })]
    await other.launch(plan({ vmCount: 2 }))
    fake.vms.add(ZONE, { name: 'rmscr-by-hand' })
    fake.vms.add(ZONE, { name: 'web-server' })
    assert.deepEqual(await one.list(), [])
    const everyones = await one.list({ everyJob: true })
    assert.deepEqual(
      everyones.map(vm => vm.jobId),
      ['a-b', 'a-b'],
    )
    await one.terminate(everyones.map(vm => vm.id))
    assert.equal((await other.list()).filter(vm => vm.state === 'running').length, 2)
  })

  it('asks for no metadata: a page of startup scripts would take 128 MB', async context => {
    const fake = await gce(context)
    await poolOn(fake).launch(plan())
    const listings = fake.requests.filter(request => request.includes('/aggregated/instances'))
    assert.ok(listings.length > 0 && listings.every(request => /fields=/.test(request) && !/metadata/.test(request)))
  })

  it('says of what stops that it stops, and of what has stopped that it still costs money', async context => {
    const fake = await gce(context, { operationMs: 5000 })
    const pool = poolOn(fake, { operationMs: 0 })
    const { launched } = await pool.launch(plan({ vmCount: 3 }))
    const [first, second, third] = launched.map(vm => vm.id)
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    await pool.terminate([first])
    fake.vms.preempt(second, { afterMs: 5000 })
    fake.vms.stop(third)
    const states = new Map((await pool.list()).map(vm => [vm.id, [vm.state, vm.endReason]]))
    assert.deepEqual(states.get(first), ['stopping', 'terminated'])
    assert.deepEqual(states.get(second), ['stopping', 'preempted'])
    assert.deepEqual(states.get(third), ['stopping', 'powered off'])
  })

  it('knows why a VM is gone, and what it was', async context => {
    const fake = await gce(context)
    const pool = poolOn(fake)
    const { launched } = await pool.launch(plan({ vmCount: 3 }))
    const [first, second, third] = launched.map(vm => vm.id)
    assert.ok(first !== undefined && second !== undefined && third !== undefined)
    fake.vms.preempt(first)
    fake.vms.end(second, 'compute.instances.hostError')
    await pool.terminate([third])
    await until('their end', () => fake.vms.list().length === 0)
    const ended = new Map((await pool.list()).map(vm => [vm.id, vm]))
    assert.deepEqual(
      [first, second, third].map(id => ended.get(id)?.endReason),
      ['preempted', 'host failed', 'terminated'],
    )
    for (const vm of ended.values()) {
      assert.deepEqual([vm.state, vm.instanceType, vm.priceUsdPerHour], ['terminated', 'n2-standard-2', 0.0233])
      assert.ok(vm.endedAt !== undefined && vm.endedAt >= vm.launchedAt)
    }
  })

  it('keeps the first of several reasons: powered off, and only later deleted for its time limit', async context => {
    const fake = await gce(context)
    const pool = poolOn(fake)
    const { launched } = await pool.launch(plan({ vmCount: 2 }))
    const [first = '', second = ''] = launched.map(vm => vm.id)
    fake.vms.end(first, 'compute.instances.guestTerminate', { afterMs: 5000 })
    fake.vms.end(second, 'compute.instances.deferredDelete')
    await until('another millisecond', later(2))
    fake.vms.end(first, 'compute.instances.deferredDelete')
    for (const look of [pool, pool, poolOn(fake)]) {
      const reasons = new Map((await look.list()).map(vm => [vm.id, vm.endReason]))
      assert.deepEqual([...launched.map(vm => reasons.get(vm.id))], ['powered off', 'time limit'])
    }
  })

  it('tells another manager, who never saw the VM, that it was preempted, and when', async context => {
    const fake = await gce(context)
    const { launched } = await poolOn(fake).launch(plan())
    const [id] = launched.map(vm => vm.id)
    assert.ok(id !== undefined)
    fake.vms.preempt(id)
    const [gone] = await poolOn(fake).list()
    assert.deepEqual([gone?.id, gone?.endReason, gone?.instanceType, gone?.zone], [id, 'preempted', 'unknown', ZONE])
    assert.ok(Math.abs(Date.now() - (gone?.endedAt?.getTime() ?? 0)) < 30_000)
  })

  it('leaves what the job DB knows of a VM that another manager knows by its end alone', async context => {
    const fake = await gce(context)
    const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-db-'))
    const db = openJobDb(join(folder, 'job.db'), { mode: 'create' })
    context.after(() => {
      db.close()
      rmSync(folder, { recursive: true })
    })
    const { launched } = await poolOn(fake).launch(plan())
    db.saveVms(launched, new Date())
    fake.vms.preempt(launched[0]?.id ?? '')
    db.saveVms(await poolOn(fake).list(), new Date(), { complete: true })
    const [vm] = db.vms()
    assert.deepEqual([vm?.state, vm?.endReason], ['terminated', 'preempted'])
    assert.deepEqual(
      [vm?.instanceType, vm?.vcpuCount, vm?.spot, vm?.priceUsdPerHour],
      ['n2-standard-2', 2, true, 0.0233],
    )
    assert.deepEqual(vm?.launchedAt, launched[0]?.launchedAt)
  })

  it('reads only the newest operations once it has read the others', async context => {
    const fake = await gce(context)
    const pool = poolOn(fake, { pageSize: 2 })
    for (let i = 0; i < 5; i++) {
      const { launched } = await pool.launch(plan())
      await pool.terminate(launched.map(vm => vm.id))
      await until('its end', () => fake.vms.list().length === 0)
    }
    assert.equal((await pool.list()).length, 5)
    const reads = () => fake.requests.filter(request => request.includes(`${ZONE}/operations?`)).length
    const before = reads()
    assert.equal((await pool.list()).length, 5)
    assert.ok(reads() > before)
  })

  it('knows by what is missing that a VM is gone where operations may not be listed', async context => {
    const fake = await gce(context)
    fake.fail({
      method: 'GET',
      path: /zones\/.*\/operations$/,
      answer: { status: 403, reason: 'forbidden' },
      times: 1000,
    })
    const pool = poolOn(fake)
    const { launched } = await pool.launch(plan({ vmCount: 2 }))
    fake.vms.preempt(launched[0]?.id ?? '')
    const [gone] = (await pool.list()).filter(vm => vm.state === 'terminated')
    assert.deepEqual([gone?.id, gone?.endReason], [launched[0]?.id, undefined])
    assert.ok(gone?.endedAt !== undefined)
    const again = (await pool.list()).find(vm => vm.id === gone.id)
    assert.deepEqual(again?.endedAt, gone.endedAt)
  })

  it('rejects rather than list a part: of a zone that cannot be reached, or of an answer by somebody else', async () => {
    const page = {
      kind: 'compute#instanceAggregatedList',
      items: { [`zones/${ZONE}`]: { warning: { code: 'UNREACHABLE', message: `Zone ${ZONE} is unreachable.` } } },
    }
    const answers = [
      { body: JSON.stringify(page), says: /only a part of the VMs.*us-central1-a is unreachable/ },
      { body: JSON.stringify({ ...page, items: {}, unreachables: ['zones/us-central1-f'] }), says: /only a part.*1-f/ },
      { body: '{}', says: /no list of VMs/ },
      { body: '<html>Sign in to the network</html>', says: /what is no JSON/ },
    ]
    for (const { body, says } of answers) {
      const server = createServer((_, response) => void response.end(body)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      assert.ok(address !== null && typeof address === 'object')
      const pool = poolOn({ endpoint: `http://127.0.0.1:${address.port}` })
      await assert.rejects(pool.list(), says)
      server.close()
      server.closeAllConnections()
    }
  })

  it('ends the others though one cannot be ended, and ends nothing that is not of its job', async context => {
    const fake = await gce(context)
    const pool = poolOn(fake)
    const { launched } = await pool.launch(plan({ vmCount: 4, choices: [choice()] }))
    const ids = launched.map(vm => vm.id)
    fake.vms.add(ZONE, { name: 'web-server' })
    fake.fail({
      method: 'DELETE',
      path: new RegExp(ids[0] ?? ''),
      answer: { status: 403, reason: 'forbidden', message: 'No.' },
      times: 1,
    })
    await assert.rejects(pool.terminate([...ids, vmId('web-server'), vmId('no-such-vm')]), /Google denied it/)
    await until('their end', () => fake.vms.list().length === 2)
    assert.deepEqual(
      fake.vms
        .list()
        .map(({ name }) => name)
        .toSorted(),
      [ids[0], 'web-server'].toSorted(),
    )
  })
})

function later(ms: number): () => boolean {
  const endMs = Date.now() + ms
  return () => Date.now() >= endMs
}
